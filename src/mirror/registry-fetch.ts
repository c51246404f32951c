import { type Dispatcher, request } from 'undici';
import { HyperupError } from '../base/errors.js';

export interface RegistryAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** The host that gave the answer, after redirects. */
  readonly host: string;
}

const maxHops = 5;
/** The distribution spec's limit for a manifest; nothing else that is asked for comes near it. */
export const maxBodyBytes = 4 * 1024 * 1024;

/**
 * One GET with redirects followed. Credentials go to the first host only. An error while following carries the host
 * that failed as `host`, since registries send clients elsewhere and the elsewhere may be what is blocked.
 */
export async function registryGet(
  dispatcher: Dispatcher,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  let target = url;
  for (let hop = 0; hop <= maxHops; hop += 1) {
    const sent = target.origin === url.origin ? headers : withoutCredentials(headers);
    const answer = await getOnce(dispatcher, target, sent, signal);
    const location = answer.headers.get('location');
    if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer;
    target = redirectTarget(location, target);
  }
  throw new HyperupError('RegistryFailed', `ask ${url.host}: more than ${maxHops} redirects`);
}

/** A network error and the host that it happened with. */
export class HostError extends Error {
  readonly host: string;
  constructor(host: string, cause: unknown) {
    super(`ask ${host}`, { cause });
    this.name = 'HostError';
    this.host = host;
  }
}

async function getOnce(
  dispatcher: Dispatcher,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<RegistryAnswer> {
  try {
    const response = await request(url, { dispatcher, method: 'GET', headers: { ...headers }, signal });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response.body) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
      length += bytes.length;
      if (length > maxBodyBytes)
        throw new HyperupError('RegistryFailed', `answer is longer than ${maxBodyBytes} bytes`);
      chunks.push(bytes);
    }
    return {
      status: response.statusCode,
      headers: new Map(
        Object.entries(response.headers).map(([name, value]) => [
          name.toLowerCase(),
          Array.isArray(value) ? value.join(', ') : (value ?? ''),
        ]),
      ),
      body: Buffer.concat(chunks),
      host: url.host,
    };
  } catch (error) {
    throw new HostError(url.host, error);
  }
}

function redirectTarget(location: string, from: URL): URL {
  try {
    return new URL(location, from);
  } catch (error) {
    throw new HostError(from.host, error);
  }
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
}
