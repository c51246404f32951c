import { HyperupError } from '../base/errors.js';
import { hidePassword } from '../base/hide-password.js';

/** An image reference taken apart; the domain and path are always there, normalised. */
export interface ImageReference {
  /** Host and optional port, `docker.io` where none was written. */
  readonly domain: string;
  /** The repository below the domain, `library/` added for Docker Hub's official images. */
  readonly path: string;
  readonly tag?: string | undefined;
  /** `algorithm:hex`. */
  readonly digest?: string | undefined;
}

const hubDomain = 'docker.io';
const legacyHubDomain = 'index.docker.io';
const officialPrefix = 'library/';
const maxNameLength = 255;

const domainPattern =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const componentPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
/** Hex digits of the algorithms that engines and registries accept. */
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Takes a reference apart as the docker command does, so `etcd` is `docker.io/library/etcd`. No default tag is added.
 * Throws `InvalidConfig` saying which part is malformed.
 * Source: distribution/reference v0.6.0, `ParseNormalizedNamed`.
 */
export function parseReference(text: string): ImageReference {
  if (text === '') throw malformed(text, 'it is empty');
  if (/^[a-f0-9]{64}$/.test(text)) throw malformed(text, 'it is an image id, want a name');
  if (/\s/.test(text)) throw malformed(text, 'it has white space in it');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw malformed(text, 'it begins with a URL scheme, want a name');
  const { domain, remainder } = splitDomain(text);
  if (!domainPattern.test(domain)) throw malformed(text, `"${domain}" is not a host with an optional port`);

  const at = remainder.indexOf('@');
  const digest = at === -1 ? undefined : remainder.slice(at + 1);
  const beforeDigest = at === -1 ? remainder : remainder.slice(0, at);
  const colon = beforeDigest.indexOf(':');
  const tag = colon === -1 ? undefined : beforeDigest.slice(colon + 1);
  const path = colon === -1 ? beforeDigest : beforeDigest.slice(0, colon);

  checkPath(text, path);
  if (domain.length + 1 + path.length > maxNameLength) {
    throw malformed(text, `its name is longer than ${maxNameLength} characters`);
  }
  if (tag !== undefined && !tagPattern.test(tag)) {
    throw malformed(text, `"${tag}" is not a tag (letters, digits, _ . -, at most 128, beginning with none of . -)`);
  }
  if (digest !== undefined) checkDigest(text, digest);
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** The full text of a reference, domain and `library/` included; the inverse of `parseReference`. */
export function formatReference(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** The reference as Docker prints it: without `docker.io/` and `library/`. */
export function familiarName(reference: ImageReference): string {
  if (reference.domain !== hubDomain) return formatReference(reference);
  const official = reference.path.startsWith(officialPrefix) ? reference.path.slice(officialPrefix.length) : '';
  const path = official !== '' && !official.includes('/') ? official : reference.path;
  return `${path}${suffix(reference)}`;
}

/** The last element of the repository's path: `coredns` of `registry.k8s.io/coredns/coredns`. */
export function baseName(reference: ImageReference): string {
  return reference.path.slice(reference.path.lastIndexOf('/') + 1);
}

/** The reference without its digest, or undefined where no tag is left to name it by. */
export function taggedOnly(reference: ImageReference): ImageReference | undefined {
  if (reference.digest !== undefined && reference.tag === undefined) return undefined;
  return { domain: reference.domain, path: reference.path, tag: reference.tag ?? 'latest' };
}

/** True where both name the same repository, whatever their tag and digest. */
export function sameRepository(a: ImageReference, b: ImageReference): boolean {
  return a.domain === b.domain && a.path === b.path;
}

function suffix({ tag, digest }: ImageReference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf('/');
  const first = slash === -1 ? '' : text.slice(0, slash);
  const rest = text.slice(slash + 1);
  // A first element is a host only where it can't be a path element of Docker Hub's: dots, colons, capitals.
  const isDomain = slash !== -1 && (first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first);
  const domain = !isDomain || first === legacyHubDomain ? hubDomain : first;
  const remainder = isDomain ? rest : text;
  const named = domain === hubDomain && !remainder.includes('/') ? `${officialPrefix}${remainder}` : remainder;
  return { domain, remainder: named };
}

function checkPath(text: string, path: string): void {
  if (path === '' || path === officialPrefix) throw malformed(text, 'it has no repository name');
  if (path.toLowerCase() !== path) throw malformed(text, `repository name "${path}" must be lowercase`);
  for (const component of path.split('/')) {
    if (component === '') throw malformed(text, 'its repository name has an empty element');
    if (!componentPattern.test(component)) {
      throw malformed(text, `"${component}" is not a repository name (a-z, 0-9, single . _ or dashes between them)`);
    }
  }
}

function checkDigest(text: string, digest: string): void {
  const colon = digest.indexOf(':');
  const algorithm = digest.slice(0, Math.max(colon, 0));
  const length = digestLengths[algorithm];
  if (!digestPattern.test(digest)) throw malformed(text, `"${digest}" is not a digest (sha256:<64 hex digits>)`);
  if (length === undefined) throw malformed(text, `digest algorithm "${algorithm}" is not supported`);
  const hex = digest.slice(colon + 1);
  if (hex.length !== length || hex.toLowerCase() !== hex) {
    throw malformed(text, `digest of ${algorithm} has ${hex.length} characters, want ${length} of 0-9 and a-f`);
  }
}

function malformed(text: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', hidePassword(`read image reference "${text}": ${reason}`), {
    hint: 'Write it as docker does: [HOST[:PORT]/]PATH[:TAG][@DIGEST].',
    details: { reference: hidePassword(text) },
  });
}
