import { HyperupError } from '../../base/errors.js';
import { hidePassword } from '../../base/hide-password.js';
import { formatReference, parseReference } from '../../registry/reference.js';
import type { ImageLocation } from './types.js';

const hint =
  'Write docker://REFERENCE, docker-daemon:REFERENCE, oci:FOLDER[:NAME], oci-archive:FILE[:NAME] or docker-archive:FILE[:REFERENCE].';
/** Transports of containers/image that hyperup doesn't have; said so rather than taken for a repository of that name. */
const foreignTransports = ['dir', 'containers-storage', 'ostree', 'sif', 'tarball', 'openshift', 'atomic'];
const imageIdPattern = /^sha256:[0-9a-f]{64}$/;
const sourceIndexPattern = /^@(0|[1-9][0-9]{0,5})$/;
/** image-spec 1.1, annotations, `org.opencontainers.image.ref.name`; and `__`, which references may have. */
const layoutNamePattern = /^[A-Za-z0-9]+(?:(?:[-._:@/+]|--|__)[A-Za-z0-9]+)*$/;

/**
 * Takes apart where an image is, in the notation of containers/image (`containers-transports(5)`); a bare reference
 * means a registry. References come out normalised, with `:latest` where they have neither tag nor digest. The name in
 * a docker-archive is a reference with a tag, or `@N` for its N-th image. Throws `InvalidConfig`.
 */
export function parseImageLocation(text: string): ImageLocation {
  if (text.startsWith('docker://')) return { transport: 'docker', reference: fullReference(text, text.slice(9)) };
  const colon = text.indexOf(':');
  const transport = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  if (transport === 'docker-daemon') {
    const reference = imageIdPattern.test(rest) ? rest : fullReference(text, rest);
    return { transport, reference };
  }
  if (transport === 'oci' || transport === 'oci-archive' || transport === 'docker-archive') {
    return { transport, ...pathAndName(text, transport, rest) };
  }
  if (foreignTransports.includes(transport)) throw malformed(text, `there is no transport "${transport}:"`);
  return { transport: 'docker', reference: fullReference(text, text) };
}

/** The text of a location; `parseImageLocation` reads it back. */
export function formatImageLocation(location: ImageLocation): string {
  if (location.transport === 'docker') return `docker://${location.reference}`;
  if (location.transport === 'docker-daemon') return `docker-daemon:${location.reference}`;
  const name = location.name === undefined ? '' : `:${location.name}`;
  return `${location.transport}:${location.path}${name}`;
}

/** The name that the root manifest gets at a location, for `ImageWriter.putManifest`; empty where it gets none. */
export function locationName(location: ImageLocation): string {
  return ('reference' in location ? location.reference : location.name) ?? '';
}

function pathAndName(text: string, transport: string, rest: string): { path: string; name: string | undefined } {
  const colon = rest.indexOf(':');
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const name = colon === -1 ? undefined : rest.slice(colon + 1);
  if (path === '') throw malformed(text, 'it has no path');
  if (path.includes('\0')) throw malformed(text, 'its path has a zero byte in it');
  if (name === undefined) return { path, name };
  if (name === '') throw malformed(text, 'nothing follows the last colon');
  if (transport === 'docker-archive') {
    if (sourceIndexPattern.test(name)) return { path, name };
    const reference = fullReference(text, name);
    if (reference.includes('@')) throw malformed(text, 'images of a docker-archive have tags, not digests');
    return { path, name: reference };
  }
  if (!layoutNamePattern.test(name)) {
    throw malformed(
      text,
      `"${name}" is not a name for an image layout (letters and digits, single - . _ : @ / + between them)`,
    );
  }
  return { path, name };
}

function fullReference(text: string, reference: string): string {
  try {
    const parsed = parseReference(reference);
    const tagged = parsed.tag === undefined && parsed.digest === undefined ? { ...parsed, tag: 'latest' } : parsed;
    return formatReference(tagged);
  } catch (error) {
    if (!(error instanceof HyperupError)) throw error;
    throw new HyperupError('InvalidConfig', `read image location "${hidePassword(text)}": ${error.message}`, {
      cause: error,
      hint,
    });
  }
}

function malformed(text: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', hidePassword(`read image location "${text}": ${reason}`), {
    hint,
    details: { location: hidePassword(text) },
  });
}
