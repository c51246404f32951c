import { createHash } from 'node:crypto';
import { Agent, type Dispatcher } from 'undici';
import { errnoOf, HyperupError, throwIfAborted } from '../base/errors.js';
import { certificateIssuer } from './certificate-issuer.js';
import { manifestAccept, manifestSize } from './manifest.js';
import { networkFailure, type ProbeFailure, probeFailure, probeTimeout } from './probe-failure.js';
import { type ImageReference, parseReference } from '../registry/reference.js';
import { manifestFailure, notARegistry } from './registry-answer.js';
import { HostError, type RegistryAnswer, registryGet } from './registry-fetch.js';
import { anonymousToken } from './registry-token.js';

export interface ProbeTarget {
  readonly reference: string;
  /** What the user wrote; else TLS, with plain HTTP first where the engine allows that. */
  readonly scheme?: 'http' | 'https' | undefined;
  /** The engine would take plain HTTP and any certificate from it. */
  readonly insecure: boolean;
  /** Such as `amd64`; undefined: not looked at. */
  readonly architecture?: string | undefined;
}

export interface ProbeSuccess {
  readonly ok: true;
  /** Of the manifest, computed from what was served. */
  readonly digest: string;
  /** What a pull would bring in, compressed; undefined where the manifest doesn't say. */
  readonly sizeBytes: number | undefined;
}

export type ProbeResult = ProbeSuccess | ProbeFailure;

/** Asks registries for manifests, which costs little and explains more than an engine's failed pull does. */
export interface RegistryProbe {
  /** Never throws but `Aborted`. */
  probe(target: ProbeTarget, signal: AbortSignal | undefined): Promise<ProbeResult>;
  close(): Promise<void>;
}

export interface ProbeOptions {
  /** For one registry's answer, redirects and token included. */
  readonly timeoutMs: number;
  /** In place of real connections, for tests. */
  readonly dispatcher?: Dispatcher;
}

/** How the base of a registry is reached, once it has answered. */
interface Reached {
  readonly ok: true;
  readonly base: URL;
  readonly challenge: string | undefined;
  readonly dispatcher: Dispatcher;
}

/**
 * A probe with connections of its own; the caller closes it. A registry's `/v2/` is asked once and remembered, so that
 * one that hangs costs its time limit once however many images are looked for.
 * Source: OCI distribution spec v1.1, "Determining Support" and "Pulling manifests".
 */
export function makeRegistryProbe(options: ProbeOptions): RegistryProbe {
  const strict = options.dispatcher ?? new Agent({ connect: { timeout: options.timeoutMs } });
  const lax = options.dispatcher ?? new Agent({ connect: { timeout: options.timeoutMs, rejectUnauthorized: false } });
  const closing = new AbortController();
  const reached = new Map<string, Promise<Reached | ProbeFailure>>();

  const timed = async <T>(host: string, work: (signal: AbortSignal) => Promise<T>): Promise<T | ProbeFailure> => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(probeTimeout(host)), options.timeoutMs);
    const signal = AbortSignal.any([limit.signal, closing.signal]);
    try {
      return await orAborted(work(signal), signal);
    } catch (error) {
      return await explain(error, host, options.timeoutMs, signal);
    } finally {
      clearTimeout(timer);
    }
  };

  const reach = (target: ProbeTarget, reference: ImageReference): Promise<Reached | ProbeFailure> => {
    const host = reference.domain;
    const key = `${target.scheme ?? ''} ${host} ${target.insecure}`;
    const known = reached.get(key);
    if (known) return known;
    const schemes = target.scheme ? [target.scheme] : target.insecure ? ['http', 'https'] : ['https'];
    const asked = timed(host, (signal) => ping(host, schemes, target.insecure ? lax : strict, signal));
    reached.set(key, asked);
    return asked;
  };

  return {
    async probe(target, signal) {
      throwIfAborted(signal, `ask for ${target.reference}`);
      const reference = parseReference(target.reference);
      const work = (async () => {
        const registry = await reach(target, reference);
        if (!registry.ok) return registry;
        return await timed(reference.domain, (limit) => askManifest(registry, reference, target, limit));
      })();
      try {
        return await (signal ? orAborted(work, signal) : work);
      } catch (error) {
        throwIfAborted(signal, `ask for ${target.reference}`);
        throw error;
      }
    },
    async close() {
      closing.abort(new HyperupError('Aborted', 'ask registries: closed'));
      if (options.dispatcher) return;
      await Promise.all([strict.destroy(), lax.destroy()]);
    },
  };
}

async function ping(
  host: string,
  schemes: readonly string[],
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<Reached | ProbeFailure> {
  for (const scheme of schemes) {
    const isLast = scheme === schemes.at(-1);
    const base = new URL(`${scheme}://${apiHost(host)}/v2/`);
    let answer: RegistryAnswer;
    try {
      answer = await registryGet(dispatcher, base, {}, signal);
    } catch (error) {
      // A TLS server hangs up on plain HTTP, or answers 400.
      if (isLast || signal.aborted || !hungUp(error)) throw error;
      continue;
    }
    if (answer.status === 400 && !isLast) continue;
    const failure = notARegistry(answer, host);
    return failure ?? { ok: true, base, challenge: answer.headers.get('www-authenticate'), dispatcher };
  }
  return probeFailure('notRegistry', `${host} is not a registry`, true);
}

function hungUp(error: unknown): boolean {
  const code = error instanceof HostError ? errnoOf(error.cause) : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET' || /^HPE_/.test(code ?? '');
}

async function askManifest(
  registry: Reached,
  reference: ImageReference,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { base, dispatcher } = registry;
  let authorization: { authorization?: string } = {};
  const get = async (name: string): Promise<RegistryAnswer> => {
    const url = new URL(`${reference.path}/manifests/${name}`, base);
    const first = await registryGet(dispatcher, url, { accept: manifestAccept, ...authorization }, signal);
    if (first.status !== 401 || authorization.authorization !== undefined) return first;
    const token = await anonymousToken(dispatcher, first.headers.get('www-authenticate') ?? '', reference.path, signal);
    if (token === undefined) return first;
    authorization = { authorization: `Bearer ${token}` };
    return await registryGet(dispatcher, url, { accept: manifestAccept, ...authorization }, signal);
  };
  if (registry.challenge) {
    const token = await anonymousToken(dispatcher, registry.challenge, reference.path, signal);
    if (token !== undefined) authorization = { authorization: `Bearer ${token}` };
  }
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const answer = await get(wanted);
  const failure = manifestFailure(answer, reference);
  if (failure) return failure;
  const digest = `sha256:${createHash('sha256').update(answer.body).digest('hex')}`;
  const promised = reference.digest ?? answer.headers.get('docker-content-digest');
  if (promised?.startsWith('sha256:') && promised !== digest) {
    return probeFailure(
      'digest',
      `manifest is ${digest}, want ${promised} as ${reference.digest ? 'pinned' : 'the registry says'}`,
    );
  }
  const size = await manifestSize(answer.body, target.architecture, async (child) => {
    const part = await get(child);
    return part.status === 200 ? part.body : undefined;
  });
  if (!size.ok) return probeFailure(size.kind, `${reference.domain}: ${size.reason}`);
  return { ok: true, digest, sizeBytes: size.sizeBytes };
}

async function explain(error: unknown, host: string, timeoutMs: number, limit: AbortSignal): Promise<ProbeFailure> {
  const at = error instanceof HostError ? error.host : host;
  const cause: unknown = limit.aborted ? limit.reason : error instanceof HostError ? error.cause : error;
  if (cause instanceof HyperupError && cause.code === 'RegistryFailed')
    return probeFailure('notRegistry', cause.message);
  const plain = networkFailure(cause, at, timeoutMs);
  const failure =
    plain.kind === 'tls' ? networkFailure(cause, at, timeoutMs, await certificateIssuer(at, timeoutMs)) : plain;
  return at === apiHost(host) ? failure : { ...failure, reason: `${host} sends on to ${at}: ${failure.reason}` };
}

/** Docker Hub's API does not live under its name. */
function apiHost(domain: string): string {
  return domain === 'docker.io' ? 'registry-1.docker.io' : domain;
}

/** The work's outcome, or the signal's reason once it has fired, whether the work heeds the signal or not. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    const reason = () =>
      reject(signal.reason instanceof Error ? signal.reason : new HyperupError('Aborted', 'interrupted'));
    // Work that heeds the signal comes first: its error knows which host it was waiting for.
    stop = () => setImmediate(reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    // Left to itself where the signal won.
    work.catch(() => {});
  }
}
