import { isHyperupError } from '../base/errors.js';
import { exchange, type Limits } from './exchange.js';
import { isLoopbackHost } from './proxy-choice.js';
import { drain } from './read-document.js';
import { failureKindOf, registryError } from './registry-error.js';
import type { Transport } from './transport.js';

export interface FindOriginOptions {
  readonly host: string;
  /** What the user wrote. */
  readonly scheme?: 'http' | 'https' | undefined;
  readonly isInsecure: () => boolean | Promise<boolean>;
  readonly transport: Transport;
  readonly limits: Limits;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where a registry's API is. TLS, unless another scheme was written; of a host that may do without, what answers is
 * taken: plain HTTP first on this machine, TLS first elsewhere. Rejects with what the first one failed with.
 */
export async function findOrigin(options: FindOriginOptions): Promise<URL> {
  const { host, scheme, isInsecure, transport, limits, signal } = options;
  const api = apiHost(host);
  if (!URL.canParse(`https://${api}/`)) throw registryError('dns', `ask ${host}: it is not a host`, { host });
  const isHere = isLoopbackHost(new URL(`https://${api}/`).hostname);
  if (scheme !== undefined) return new URL(`${scheme}://${api}/`);
  if (!isHere && !(await isInsecure())) return new URL(`https://${api}/`);
  let first: unknown;
  for (const candidate of isHere ? ['http', 'https'] : ['https', 'http']) {
    const url = new URL(`${candidate}://${api}/v2/`);
    try {
      const answer = await exchange(
        transport,
        { method: 'GET', url, headers: {}, host, action: `ask ${host}`, signal },
        limits,
      );
      await drain(answer.body);
      // How servers for TLS answer to what isn't.
      if (candidate === 'http' && isHere && answer.status === 400) continue;
      return new URL('/', url);
    } catch (error) {
      if (isHyperupError(error, 'Aborted') || isHyperupError(error, 'InvalidConfig')) throw error;
      // Nothing listens there at all: the other scheme would find the same.
      if (url.port !== '' && failureKindOf(error) === 'refused') throw error;
      if (first === undefined || failureKindOf(first) === 'tls') first = error;
    }
  }
  throw first ?? registryError('notRegistry', `ask ${host}: it speaks neither HTTP nor TLS`, { host });
}

/** Docker Hub's API does not live under its name. */
export function apiHost(host: string): string {
  return host === 'docker.io' || host === 'index.docker.io' ? 'registry-1.docker.io' : host;
}
