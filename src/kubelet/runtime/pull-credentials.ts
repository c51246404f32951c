import type { V1Secret } from '../../kube/objects.js';

/** As `PullOptions.auth`. */
export interface PullCredentials {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

interface Entry {
  /** Host and path, without a scheme; the host's parts may have wildcards. */
  readonly key: string;
  readonly credentials: PullCredentials;
}

type JsonObject = Readonly<Record<string, unknown>>;

const dockerHubKey = 'index.docker.io';

/**
 * The credentials of these secrets that may open an image's repository (its full name), the most exact first (v1.20
 * `pkg/credentialprovider/keyring.go`). Secrets of other types and broken ones give none.
 */
export function findCredentials(repository: string, secrets: readonly V1Secret[]): readonly PullCredentials[] {
  return secrets.flatMap((secret) => {
    const entries = [...entriesOf(secret)].sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
    const matching = entries.filter(({ key }) => matches(key, repository));
    if (matching.length > 0) return matching.map(({ credentials }) => credentials);
    const hub = repository.startsWith('docker.io/') ? entries.filter(({ key }) => key === dockerHubKey) : [];
    return hub.map(({ credentials }) => credentials);
  });
}

/** What a secret of type dockerconfigjson or dockercfg holds. */
function entriesOf(secret: V1Secret): readonly Entry[] {
  const auths =
    secret.type === 'kubernetes.io/dockerconfigjson'
      ? objectOf(readJson(secret.data?.['.dockerconfigjson'])['auths'])
      : secret.type === 'kubernetes.io/dockercfg'
        ? readJson(secret.data?.['.dockercfg'])
        : {};
  return Object.entries(auths).flatMap(([location, value]) => {
    const key = keyOf(location);
    const login = loginOf(objectOf(value));
    return key === undefined || !login ? [] : [{ key, credentials: { ...login, serveraddress: location } }];
  });
}

function loginOf(entry: JsonObject): { readonly username: string; readonly password: string } | undefined {
  if (typeof entry['auth'] === 'string' && entry['auth'] !== '') {
    const text = Buffer.from(entry['auth'], 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 0) return undefined;
    // Docker pads the password with zero bytes at times.
    return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
  }
  const { username, password } = entry;
  return { username: textOf(username), password: textOf(password) };
}

/** `https://host/v1/` and `host` are one; a path that says more stays. */
function keyOf(location: string): string | undefined {
  const bare = location.replace(/^https?:\/\//, '');
  const slash = bare.indexOf('/');
  const host = slash < 0 ? bare : bare.slice(0, slash);
  if (host === '') return undefined;
  const path = (slash < 0 ? '' : bare.slice(slash)).replace(/^\/v[12]\//, '/');
  return path === '/' ? host : `${host}${path}`;
}

/** Host part by part, with `*` and `?`; port alike; the key's path begins the image's. */
function matches(key: string, repository: string): boolean {
  const wanted = cut(key);
  const given = cut(repository);
  if (wanted.port !== given.port || wanted.parts.length !== given.parts.length) return false;
  if (!given.path.startsWith(wanted.path)) return false;
  return wanted.parts.every((part, index) => globOf(part).test(given.parts[index] ?? ''));
}

function cut(text: string) {
  const slash = text.indexOf('/');
  const host = slash < 0 ? text : text.slice(0, slash);
  const [, name = host, port = ''] = /^(.*):(\d*)$/.exec(host) ?? [];
  return { parts: name.split('.'), port, path: slash < 0 ? '' : text.slice(slash) };
}

function globOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}

function readJson(base64: string | undefined): JsonObject {
  if (base64 === undefined) return {};
  try {
    return objectOf(JSON.parse(Buffer.from(base64, 'base64').toString('utf8')));
  } catch {
    return {};
  }
}

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
