import { type Clock, systemClock } from '../base/clock.js';
import { errnoOf, HyperupError, isHyperupError, messageOf, throwIfAborted } from '../base/errors.js';
import { chooseApiVersion, compareApiVersions, knownApiVersion } from './api-version.js';
import { makeContainerEngine } from './container-engine.js';
import { type EngineCandidate, type EngineEnvironment, engineCandidates } from './endpoint.js';
import { type EngineFacts, savePlatform, toEngineInfo, type WireInfo, type WireVersion } from './engine-info.js';
import { makeImageEngine } from './image-engine.js';
import type { RuntimeEngine } from './runtime-types.js';
import {
  type EngineAnswer,
  type EngineRequest,
  makeTransport,
  type Transport,
  type TransportOptions,
} from './transport.js';
import type { Engine } from './types.js';

export interface ConnectOptions {
  /** In DOCKER_HOST's form; outranks the environment. */
  readonly host?: string | undefined;
  readonly env: EngineEnvironment;
  readonly signal?: AbortSignal | undefined;
  /** How long one endpoint may take to answer; 10 s. */
  readonly timeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** An endpoint that was tried in vain; `EngineUnreachable` has them in `details.tried`. */
export interface FailedEndpoint {
  readonly address: string;
  readonly source: string;
  readonly reason: string;
}

/** What `connectEngine` tried in vain; empty for any other error. */
export function failedEndpoints(error: unknown): readonly FailedEndpoint[] {
  if (!isHyperupError(error, 'EngineUnreachable')) return [];
  const { tried } = error.details as { readonly tried?: readonly FailedEndpoint[] };
  return tried ?? [];
}

const connectMs = 10_000;

/**
 * Finds the engine as the docker command does (see `engineCandidates`), negotiates the API version and pins it.
 * The caller closes the engine. Errors: `EngineUnreachable` naming every endpoint that was tried and why it failed;
 * `EngineFailed` for an engine older than 20.10; `InvalidConfig` for a DOCKER_API_VERSION it doesn't have; `Aborted`.
 */
export function connectEngine(options: ConnectOptions): Promise<Engine> {
  return connectFirst(options, {}, makeEngine);
}

/**
 * The same search and the same pinned version, for a kubelet: connections are kept between calls. The caller closes the
 * engine. Errors as `connectEngine`.
 */
export async function connectRuntimeEngine(options: ConnectOptions): Promise<RuntimeEngine> {
  // All others do without, and start in less time.
  const { makeRuntimeEngine } = await import('./runtime-engine.js');
  return connectFirst(options, { keepAlive: true }, ({ pinned, facts, close }) =>
    makeRuntimeEngine(pinned, { apiVersion: facts.apiVersion, engineVersion: facts.version, close }),
  );
}

/** An endpoint that answered, its version pinned. */
interface Connected {
  readonly pinned: Transport;
  readonly facts: EngineFacts;
  /** All that the engine says of its version; asked for once, where connecting didn't take it. */
  version(): Promise<WireVersion>;
  close(): void;
}

async function connectFirst<T>(
  options: ConnectOptions,
  transportOptions: TransportOptions,
  make: (connected: Connected) => T,
): Promise<T> {
  const tried: FailedEndpoint[] = [];
  const errnos: (string | undefined)[] = [];
  for (const candidate of await engineCandidates(options.host, options.env)) {
    throwIfAborted(options.signal, 'connect to the Docker Engine');
    try {
      return make(await connectCandidate(candidate, options, transportOptions));
    } catch (error) {
      if (!isHyperupError(error, 'EngineUnreachable')) throw error;
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      errnos.push(errnoOf(cause));
      tried.push({ address: candidate.address, source: candidate.source, reason: plainReason(error, cause) });
    }
  }
  const list = tried.map((each) => `${each.address} (${each.source}): ${each.reason}`).join('; ');
  throw new HyperupError('EngineUnreachable', `connect to the Docker Engine: no engine answers: ${list}`, {
    hint: hintFor(tried, errnos),
    details: { tried },
  });
}

async function connectCandidate(
  candidate: EngineCandidate,
  options: ConnectOptions,
  transportOptions: TransportOptions,
): Promise<Connected> {
  const { address, connection } = candidate;
  if (!connection) throw new HyperupError('EngineUnreachable', candidate.fault ?? 'no address');
  const transport = makeTransport(address, connection, options.clock ?? systemClock, transportOptions);
  const limits = { timeoutMs: options.timeoutMs ?? connectMs, signal: options.signal };
  const wanted = options.env.DOCKER_API_VERSION;
  try {
    // It takes the engine 30 ms to say all of its version, for it asks runc and others for theirs.
    const said = wanted === undefined || wanted === '' ? await pingVersion(transport, limits) : undefined;
    return pin(transport, said ?? (await askVersion(transport, limits)), said === undefined, wanted);
  } catch (error) {
    transport.close();
    throw error;
  }
}

type CallLimits = Pick<EngineRequest, 'timeoutMs' | 'signal'>;

/**
 * What the headers of `GET /_ping` say of the version; undefined where that isn't enough: another program than Docker's,
 * or an engine so new that its oldest API counts. Source: Docker's API reference, SystemPing.
 */
async function pingVersion(transport: Transport, limits: CallLimits): Promise<WireVersion | undefined> {
  try {
    const { headers } = await ask(transport, '/_ping', limits);
    const ApiVersion = headers['api-version'];
    const Version = /^Docker\/(\S+)/.exec(String(headers['server']))?.[1];
    if (typeof ApiVersion !== 'string' || Version === undefined) return undefined;
    return compareApiVersions(ApiVersion, knownApiVersion) > 0 ? undefined : { ApiVersion, Version };
  } catch (error) {
    // It answers, so it is worth a second question.
    if (isHyperupError(error) && error.details['status'] !== undefined) return undefined;
    throw error;
  }
}

async function askVersion(transport: Transport, limits: CallLimits): Promise<WireVersion> {
  const { body } = await ask(transport, '/version', limits);
  if (typeof body === 'object' && body !== null && 'ApiVersion' in body) return body as WireVersion;
  throw new HyperupError('EngineUnreachable', `${transport.endpoint} answers, but not as a Docker Engine`);
}

/** Whatever goes wrong with the first question (no TLS where it is wanted, a foreign CA, another server) is the endpoint's fault. */
async function ask(transport: Transport, path: string, limits: CallLimits): Promise<EngineAnswer> {
  try {
    return await transport.call({
      action: `ask ${transport.endpoint} for its version`,
      method: 'GET',
      path,
      ...limits,
    });
  } catch (error) {
    if (!isHyperupError(error) || error.code === 'Aborted') throw error;
    throw new HyperupError('EngineUnreachable', error.message, {
      cause: error.cause ?? error,
      details: { status: error.details['status'] },
    });
  }
}

function pin(transport: Transport, said: WireVersion, isWhole: boolean, wanted: string | undefined): Connected {
  const max = said.ApiVersion ?? '0';
  const offered = { engine: said.Version ?? 'of unknown version', max, min: said.MinAPIVersion ?? max };
  const apiVersion = chooseApiVersion(offered, wanted);
  let whole = isWhole ? Promise.resolve(said) : undefined;
  return {
    pinned: transport.pinned(apiVersion),
    facts: { endpoint: transport.endpoint, version: said.Version ?? '', apiVersion, maxApiVersion: max },
    version: () => {
      whole ??= askVersion(transport, {});
      whole.catch(() => {
        whole = undefined;
      });
      return whole;
    },
    close: () => transport.close(),
  };
}

function makeEngine({ pinned, facts, version, close }: Connected): Engine {
  const readInfo = async () => {
    const { body } = await pinned.call({ action: 'ask the engine for its facts', method: 'GET', path: '/info' });
    return body as WireInfo;
  };
  return {
    ...makeImageEngine(pinned, {
      apiVersion: facts.apiVersion,
      platform: async () => {
        const [info, { Arch = '' }] = await Promise.all([readInfo(), version()]);
        return savePlatform(info, Arch);
      },
    }),
    ...makeContainerEngine(pinned),
    info: async () => {
      const [info, said] = await Promise.all([readInfo(), version()]);
      return toEngineInfo(facts, info, said);
    },
    ping: async () => {
      await pinned.call({ action: 'ping the engine', method: 'GET', path: '/_ping' });
    },
    close,
  };
}

function plainReason(error: unknown, cause: unknown): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such socket',
    ECONNREFUSED: 'nothing listens there',
    EACCES: 'permission denied',
    ENOTFOUND: 'the host name does not resolve',
  };
  const errno = errnoOf(cause);
  return (errno === undefined ? undefined : reasons[errno]) ?? messageOf(cause instanceof Error ? cause : error);
}

function hintFor(tried: readonly FailedEndpoint[], errnos: readonly (string | undefined)[]): string {
  if (errnos.includes('EACCES'))
    return 'Run as root, or as a member of the group that owns the socket (usually docker).';
  const named = tried.find((each) => !each.source.endsWith('socket'));
  if (named) return `The engine was named by ${named.source}: correct that, or unset it to use the default socket.`;
  return 'Start Docker, or let `hyperup engine install` install and start it; --host names an engine elsewhere.';
}
