import { HyperupError } from '../../base/errors.js';

/** An image reference cut up. `name` is full: `docker.io/library/busybox`. Neither tag nor digest may be there. */
export interface ImageReference {
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const hostPart = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const host = `(?:${hostPart}(?:\\.${hostPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const whole = new RegExp(
  `^((?:${host}/)?${component}(?:/${component})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);
const identifier = /^[a-f0-9]{64}$/;
const maxNameLength = 255;

/**
 * Reads a reference as Docker does (docker/distribution `reference/normalize.go`, as vendored by Kubernetes v1.20), short
 * names made full. Throws `InvalidConfig` with Docker's words.
 */
export function parseImageReference(text: string): ImageReference {
  if (identifier.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, remainder } = splitDomain(text);
  const path = remainder.split(/[:@]/, 1)[0] ?? '';
  if (path.toLowerCase() !== path) throw invalid('invalid reference format: repository name must be lowercase');
  const match = whole.exec(`${domain}/${remainder}`);
  const name = match?.[1];
  if (!match || name === undefined) throw invalid('invalid reference format');
  if (name.length > maxNameLength) {
    throw invalid(`repository name must not be more than ${maxNameLength} characters`);
  }
  return { name, tag: match[2], digest: match[3] };
}

/** The same text, with `:latest` where it has neither tag nor digest. Throws as `parseImageReference` does. */
export function withDefaultTag(text: string): string {
  const { tag, digest } = parseImageReference(text);
  return tag === undefined && digest === undefined ? `${text}:latest` : text;
}

function splitDomain(text: string): { readonly domain: string; readonly remainder: string } {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  // Without a dot, a port or a capital it is a part of the path, as in `library/busybox`.
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === 'localhost');
  const domain = !isHost || first === 'index.docker.io' ? 'docker.io' : first;
  const remainder = isHost ? text.slice(slash + 1) : text;
  const short = domain === 'docker.io' && !remainder.includes('/');
  return { domain, remainder: short ? `library/${remainder}` : remainder };
}

function invalid(message: string): HyperupError {
  return new HyperupError('InvalidConfig', message);
}
