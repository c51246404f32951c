import { type Clock, systemClock } from '../base/clock.js';
import { HyperupError, isHyperupError, throwIfAborted } from '../base/errors.js';
import { type ImageReference, parseReference } from '../registry/reference.js';
import type { Descriptor, ManifestContent, RegistryClient, RegistryClients } from '../registry/types.js';
import { type ParsedManifest, parseManifest } from './content/image-manifest.js';
import { choosePlatform, formatPlatform } from './copy/choose-platform.js';
import { failureOf, type ProbeFailure, probeFailure } from './probe-failure.js';
import { orAborted, withinLimit } from './time-limit.js';

export interface ProbeTarget {
  readonly reference: string;
  /** What the user wrote; else the client finds out. */
  readonly scheme?: 'http' | 'https' | undefined;
  /** Such as `amd64`; undefined: not looked at. */
  readonly architecture?: string | undefined;
  /** What a lock wants: the manifest for that architecture, under whatever name. */
  readonly pin?: { readonly root: string; readonly manifest: string } | undefined;
}

/** What a transfer for one platform moves. */
export interface PlatformImage {
  readonly manifest: ManifestContent;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ProbeSuccess {
  readonly ok: true;
  /** Of what the name stands for: a manifest, or the index that names it. */
  readonly root: ManifestContent;
  /** What a transfer would bring in, compressed; undefined where the manifest doesn't say. */
  readonly sizeBytes: number | undefined;
  /** For the architecture that was asked for; undefined where it is an index and none was. */
  readonly image: PlatformImage | undefined;
}

export type ProbeResult = ProbeSuccess | ProbeFailure;

/** Asks registries for manifests, which costs little and explains more than an engine's failed pull does. */
export interface RegistryProbe {
  /** Never throws but `Aborted`. */
  probe(target: ProbeTarget, signal: AbortSignal | undefined): Promise<ProbeResult>;
  /** Whether that repository has the manifest, which costs no pull where pulls are counted. Never throws but `Aborted`. */
  has(target: Pick<ProbeTarget, 'reference' | 'scheme'>, digest: string, signal?: AbortSignal): Promise<boolean>;
  /** Begins to ask a registry what it is, so that several that hang are waited for together. */
  greet(host: string, scheme?: 'http' | 'https'): void;
}

export interface ProbeOptions {
  readonly clients: Pick<RegistryClients, 'clientFor'>;
  /** For one registry's answer, redirects and token included. */
  readonly timeoutMs: number;
  readonly clock?: Clock | undefined;
}

/**
 * A probe over the clients given. A registry's `/v2/` is asked once and remembered, so that one that hangs costs its
 * time limit once however many images are looked for.
 * Source: OCI distribution spec v1.1, "Determining Support" and "Pulling manifests".
 */
export function makeRegistryProbe({ clients, timeoutMs, clock = systemClock }: ProbeOptions): RegistryProbe {
  const reached = new Map<string, Promise<ProbeFailure | undefined>>();

  const timed = async <T>(host: string, pinging: boolean, signal: AbortSignal | undefined, work: Work<T>) => {
    const message = `${host} gave no answer within ${timeoutMs / 1000} s`;
    try {
      return await withinLimit({ clock, limitMs: timeoutMs, message, signal }, work);
    } catch (error) {
      throwIfAborted(signal, `ask ${host}`);
      return failureOf(error, pinging);
    }
  };

  // Not under the caller's signal: the answer is for all who ask.
  const reach = (client: RegistryClient, host: string): Promise<ProbeFailure | undefined> =>
    timed(host, true, undefined, async (limit) => {
      await client.ping({ signal: limit });
      return undefined;
    });

  const greeted = (host: string, scheme: 'http' | 'https' | undefined): Promise<ProbeFailure | undefined> => {
    const key = `${scheme ?? ''} ${host}`;
    const asked = reached.get(key) ?? reach(clients.clientFor(host, scheme), host);
    reached.set(key, asked);
    return asked;
  };

  const answering = async (host: string, scheme: 'http' | 'https' | undefined, signal: AbortSignal | undefined) => {
    const asked = greeted(host, scheme);
    return await (signal ? orAborted(asked, signal) : asked);
  };

  return {
    async probe(target, signal) {
      throwIfAborted(signal, `ask for ${target.reference}`);
      const reference = parseReference(target.reference);
      const host = reference.domain;
      const failure = await answering(host, target.scheme, signal);
      if (failure) return failure;
      const client = clients.clientFor(host, target.scheme);
      return await timed(host, false, signal, (limit) => askManifest(client, reference, target, limit));
    },
    async has({ reference, scheme }, digest, signal) {
      const { domain: host, path } = parseReference(reference);
      if (await answering(host, scheme, signal)) return false;
      const client = clients.clientFor(host, scheme);
      const found = await timed(host, false, signal, async (limit) => {
        const descriptor = await client.headManifest(path, digest, { signal: limit });
        return descriptor?.digest === digest;
      });
      return found === true;
    },
    greet(host, scheme) {
      void greeted(host, scheme);
    },
  };
}

type Work<T> = (signal: AbortSignal) => Promise<T>;

async function askManifest(
  client: RegistryClient,
  reference: ImageReference,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { path } = reference;
  const host = reference.domain;
  const root = target.pin
    ? await pinnedManifest(client, reference, target.pin.manifest, signal)
    : await client.getManifest(path, reference.digest ?? reference.tag ?? 'latest', { signal });
  const parsed = parseManifest(root.bytes, `read manifest of ${host}/${path}`);
  if (parsed.kind === 'image') return { ok: true, root, ...platformImage(root, parsed) };
  if (target.architecture === undefined) return { ok: true, root, sizeBytes: undefined, image: undefined };
  const child = choosePlatform(parsed.manifests, { os: 'linux', architecture: target.architecture });
  if (!child) {
    const offered = parsed.manifests.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : []));
    const known = offered.filter((name) => !name.startsWith('unknown/')).join(', ') || 'nothing';
    return probeFailure('platform', `${host}: it has nothing for linux/${target.architecture}, only ${known}`);
  }
  const manifest = await client.getManifest(path, child.digest, { signal });
  const content = parseManifest(manifest.bytes, `read manifest of ${host}/${path}`);
  if (content.kind === 'index') return probeFailure('platform', `${host}: ${child.digest} is an index within an index`);
  return { ok: true, root, ...platformImage(manifest, content) };
}

function platformImage(
  manifest: ManifestContent,
  { config, layers }: Extract<ParsedManifest, { kind: 'image' }>,
): Pick<ProbeSuccess, 'sizeBytes' | 'image'> {
  // A layer that is there twice moves once.
  const sizes = new Map([config, ...layers].map(({ digest, size }) => [digest, size]));
  const sizeBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { sizeBytes, image: { manifest, config, layers } };
}

/** By its digest; where the registry hasn't got it, what its tag stands for tells a stale mirror from an empty one. */
async function pinnedManifest(
  client: RegistryClient,
  { domain, path, tag }: ImageReference,
  digest: string,
  signal: AbortSignal,
): Promise<ManifestContent> {
  try {
    return await client.getManifest(path, digest, { signal });
  } catch (error) {
    if (!isHyperupError(error, 'NotFound') || tag === undefined) throw error;
    const tagged = await client.headManifest(path, tag, { signal }).catch(() => undefined);
    if (!tagged) throw error;
    // There are mirrors that know tags only.
    if (tagged.digest === digest) return await client.getManifest(path, tag, { signal });
    throw new HyperupError(
      'DigestMismatch',
      `${domain} has ${tagged.digest} as ${path}:${tag}, want ${digest} as the lock says`,
      { details: { kind: 'digest', host: domain, got: tagged.digest, want: digest } },
    );
  }
}
