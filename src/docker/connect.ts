import { type Clock, systemClock } from '../base/clock.js';
import { errnoOf, HyperupError, isHyperupError, messageOf, throwIfAborted } from '../base/errors.js';
import { chooseApiVersion } from './api-version.js';
import { makeContainerEngine } from './container-engine.js';
import { type EngineCandidate, type EngineEnvironment, engineCandidates } from './endpoint.js';
import { type EngineFacts, savePlatform, toEngineInfo, type WireInfo } from './engine-info.js';
import { makeImageEngine } from './image-engine.js';
import { makeRuntimeEngine } from './runtime-engine.js';
import type { RuntimeEngine } from './runtime-types.js';
import { makeTransport, type Transport, type TransportOptions } from './transport.js';
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

interface WireVersion {
  readonly Version?: string;
  readonly ApiVersion?: string;
  readonly MinAPIVersion?: string;
  readonly Arch?: string;
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
export function connectRuntimeEngine(options: ConnectOptions): Promise<RuntimeEngine> {
  return connectFirst(options, { keepAlive: true }, ({ pinned, facts, close }) =>
    makeRuntimeEngine(pinned, { apiVersion: facts.apiVersion, engineVersion: facts.version, close }),
  );
}

/** An endpoint that answered, its version pinned. */
interface Connected {
  readonly pinned: Transport;
  readonly facts: EngineFacts;
  /** As the engine names its processor. */
  readonly architecture: string;
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
  try {
    const version = await askVersion(transport, options.timeoutMs ?? connectMs, options.signal);
    return pin(transport, version, options.env.DOCKER_API_VERSION);
  } catch (error) {
    transport.close();
    throw error;
  }
}

/** Whatever goes wrong with the first question (no TLS where it is wanted, a foreign CA, another server) is the endpoint's fault. */
async function askVersion(
  transport: Transport,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<WireVersion> {
  const action = `ask ${transport.endpoint} for its version`;
  try {
    const { body } = await transport.call({ action, method: 'GET', path: '/version', timeoutMs, signal });
    if (typeof body === 'object' && body !== null && 'ApiVersion' in body) return body as WireVersion;
  } catch (error) {
    if (!isHyperupError(error) || error.code === 'Aborted') throw error;
    throw new HyperupError('EngineUnreachable', error.message, { cause: error.cause ?? error });
  }
  throw new HyperupError('EngineUnreachable', `${transport.endpoint} answers, but not as a Docker Engine`);
}

function pin(transport: Transport, version: WireVersion, wanted: string | undefined): Connected {
  const max = version.ApiVersion ?? '0';
  const offered = { engine: version.Version ?? 'of unknown version', max, min: version.MinAPIVersion ?? max };
  const apiVersion = chooseApiVersion(offered, wanted);
  return {
    pinned: transport.pinned(apiVersion),
    facts: {
      endpoint: transport.endpoint,
      version: version.Version ?? '',
      apiVersion,
      minApiVersion: offered.min,
      maxApiVersion: offered.max,
    },
    architecture: version.Arch ?? '',
    close: () => transport.close(),
  };
}

function makeEngine({ pinned, facts, architecture, close }: Connected): Engine {
  const readInfo = async () => {
    const { body } = await pinned.call({ action: 'ask the engine for its facts', method: 'GET', path: '/info' });
    return body as WireInfo;
  };
  return {
    ...makeImageEngine(pinned, {
      apiVersion: facts.apiVersion,
      platform: async () => savePlatform(await readInfo(), architecture),
    }),
    ...makeContainerEngine(pinned),
    info: async () => toEngineInfo(facts, await readInfo()),
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
