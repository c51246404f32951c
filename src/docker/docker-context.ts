import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { readTextIfPresent } from '../base/files.js';

/** PEM texts; what is absent is left to the system's defaults. */
export interface TlsMaterial {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface DockerContext {
  readonly host: string;
  readonly skipTlsVerify: boolean;
  readonly tls: TlsMaterial;
}

interface DockerConfig {
  readonly currentContext?: unknown;
}

interface ContextMeta {
  readonly Endpoints?: {
    readonly docker?: { readonly Host?: unknown; readonly SkipTLSVerify?: unknown } | null;
  } | null;
}

/** The `currentContext` of the docker command's config.json; undefined where there is none or the file isn't JSON. */
export async function readCurrentContext(configDir: string): Promise<string | undefined> {
  const text = await readTextIfPresent(join(configDir, 'config.json'));
  const name = parseObject<DockerConfig>(text)?.currentContext;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/**
 * A context of the docker command's, from `contexts/meta/<sha256 of the name>/meta.json` and the PEM files under
 * `contexts/tls/<the same>/docker`. Throws plain errors for a context that is absent or has no Docker endpoint.
 * Layout: docker/cli, `cli/context/store`.
 */
export async function readDockerContext(configDir: string, name: string): Promise<DockerContext> {
  const id = createHash('sha256').update(name).digest('hex');
  const path = join(configDir, 'contexts', 'meta', id, 'meta.json');
  const text = await readTextIfPresent(path);
  if (text === undefined) throw new Error(`there is no Docker context "${name}" (no ${path})`);
  const endpoint = parseObject<ContextMeta>(text)?.Endpoints?.docker;
  const host = endpoint?.Host;
  if (typeof host !== 'string' || host === '') throw new Error(`Docker context "${name}" names no engine (${path})`);
  const tlsDir = join(configDir, 'contexts', 'tls', id, 'docker');
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((file) => readTextIfPresent(join(tlsDir, file))),
  );
  return { host, skipTlsVerify: endpoint?.SkipTLSVerify === true, tls: { ca, cert, key } };
}

function parseObject<T extends object>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
