import type { ErrorCode } from '../base/errors.js';

/** One text of Docker's (or of a registry, passed on by Docker), and what it means to hyperup. */
export interface EnginePhrase {
  readonly name: string;
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly hint?: string;
  /** `registry` phrases count only in calls that talk to one (pull, build): elsewhere the same words mean other things. */
  readonly scope: 'any' | 'registry';
}

const networkHint =
  'The engine could not reach the registry. Check the network and the proxy of the engine, or name a mirror that answers.';

/**
 * Where Docker tells causes apart by text alone. The first match counts, so the more exact phrase stands first.
 * Texts as in moby 20.10 to 29, distribution and containerd.
 */
export const enginePhrases: readonly EnginePhrase[] = [
  {
    name: 'disk full',
    pattern: /no space left on device|disk quota exceeded/i,
    code: 'EngineFailed',
    hint: "The disk under the engine's data directory is full: free some room there (see `docker system df`), then run the command again.",
    scope: 'any',
  },
  {
    name: 'privileged containers refused',
    pattern: /unable to apply caps: operation not permitted/i,
    code: 'EngineFailed',
    hint: 'This engine cannot run privileged containers: its own capabilities are limited, as inside another container.',
    scope: 'any',
  },
  {
    name: 'not a shared mount',
    pattern: /is mounted on .* but it is not a (shared|shared or slave) mount/i,
    code: 'EngineFailed',
    hint: 'Make the mount shared first: `mount --make-rshared` on the mount point that the message names.',
    scope: 'any',
  },
  {
    name: 'mount source absent',
    pattern: /bind source path does not exist/i,
    code: 'EngineFailed',
    hint: 'Make the folder that the message names, then run the command again.',
    scope: 'any',
  },
  {
    name: 'port taken',
    pattern: /port is already allocated|address already in use/i,
    code: 'Conflict',
    hint: 'Another program or container has the port: stop it, or choose another port.',
    scope: 'any',
  },
  {
    name: 'name taken',
    pattern: /container name .* is already in use/i,
    code: 'AlreadyExists',
    hint: 'Another container has the name: remove it or rename it.',
    scope: 'any',
  },
  {
    name: 'API version refused',
    pattern: /client version \S+ is too (old|new)/i,
    code: 'EngineFailed',
    hint: 'Unset DOCKER_API_VERSION, so that the version is negotiated with the engine.',
    scope: 'any',
  },
  {
    name: 'reference malformed',
    pattern: /invalid reference format|invalid tag format/i,
    code: 'InvalidConfig',
    hint: 'An image is written as [host[:port]/]path[:tag][@sha256:…], in lower case.',
    scope: 'any',
  },
  {
    name: 'not an image archive',
    pattern: /docker-import-\d+\/.*no such file or directory|invalid tar header|archive\/tar: /i,
    code: 'EngineFailed',
    hint: 'The archive must be one that `docker save` made, and be whole.',
    scope: 'any',
  },
  {
    name: 'rate limit',
    pattern: /toomanyrequests|rate limit|429 Too Many Requests/i,
    code: 'RegistryFailed',
    hint: 'The registry limits pulls: wait, log in, or name another mirror.',
    scope: 'registry',
  },
  {
    name: 'digest mismatch',
    pattern:
      /manifest verification failed for digest|filesystem layer verification failed|unexpected commit digest|does not match provided manifest digest|failed size validation/i,
    code: 'DigestMismatch',
    hint: 'The source serves other content than was asked for: use another mirror.',
    scope: 'registry',
  },
  {
    name: 'plain HTTP registry',
    pattern: /server gave HTTP response to HTTPS client/i,
    code: 'RegistryFailed',
    hint: 'The registry speaks HTTP only: `hyperup engine configure --insecure-registry <host:port>` lets the engine use it.',
    scope: 'registry',
  },
  {
    name: 'certificate refused',
    pattern: /x509: /i,
    code: 'RegistryFailed',
    hint: 'The certificate is not the one of that registry, or its CA is unknown: put the CA in /etc/docker/certs.d/<host:port>/ca.crt, or use another mirror.',
    scope: 'registry',
  },
  {
    name: 'no such platform',
    pattern: /no matching manifest for|does not (match|provide) the specified platform/i,
    code: 'ImageUnavailable',
    hint: 'The source has the image, but not for this machine: use another mirror or build it.',
    scope: 'registry',
  },
  {
    name: 'no such image at the registry',
    pattern:
      /manifest unknown|manifest for .* not found|manifest .*unknown|name unknown|repository .* not found|pull access denied|NAME_UNKNOWN/i,
    code: 'ImageUnavailable',
    hint: 'The source does not have this image, or only for those who log in.',
    scope: 'registry',
  },
  {
    name: 'login wanted',
    pattern: /no basic auth credentials|unauthorized|authentication required|denied: /i,
    code: 'ImageUnavailable',
    hint: 'The source wants a login: use `docker login`, or another mirror.',
    scope: 'registry',
  },
  {
    name: 'registry unreachable',
    pattern:
      /no such host|i\/o timeout|connection refused|connection reset by peer|network is unreachable|no route to host|TLS handshake|Client\.Timeout|request canceled|context deadline exceeded|proxyconnect|unexpected EOF|: EOF$|Temporary failure in name resolution|server misbehaving/i,
    code: 'RegistryFailed',
    hint: networkHint,
    scope: 'registry',
  },
  {
    name: 'registry answers with a fault',
    pattern:
      /unexpected HTTP status|unexpected status(?: code)?|error parsing HTTP \d+ response body|5\d\d (Internal Server Error|Bad Gateway|Service Unavailable|Gateway Timeout)/i,
    code: 'RegistryFailed',
    hint: 'The registry is there but failing: try again later, or name another mirror.',
    scope: 'registry',
  },
  { name: 'no such image', pattern: /no such image/i, code: 'NotFound', scope: 'any' },
  { name: 'no such container', pattern: /no such (container|exec)/i, code: 'NotFound', scope: 'any' },
];

/** The phrase that this text of the engine's contains, if it is a known one. */
export function findPhrase(text: string, scope: EnginePhrase['scope']): EnginePhrase | undefined {
  return enginePhrases.find((phrase) => (phrase.scope === 'any' || scope === 'registry') && phrase.pattern.test(text));
}

/** The id of the container that has the name which another was to get, where the engine's text tells it. */
export function findNameHolder(text: string): string | undefined {
  return /container name .* is already in use by container "([0-9a-f]+)"/i.exec(text)?.[1];
}
