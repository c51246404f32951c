import { formatBytes } from '../base/bytes.js';
import { type ErrorCode, HyperupError, isHyperupError } from '../base/errors.js';
import type { ImageSummary } from '../docker/types.js';
import { parseReference } from '../registry/reference.js';
import type { CopyReport, ImageReader } from './content/types.js';
import { readResolved } from './copy/registry-reader.js';
import { isFinal } from './engine-view.js';
import { expectation, journalTag, lockPin, type SourceOutcome, stepOf, throwIfFatal } from './obtain-common.js';
import { pullByEngine, putName } from './obtain-pull.js';
import type { ObtainRun } from './obtain-run.js';
import type { ImagePlan, ImageSource, RegistrySource } from './plan.js';
import { type ProbeFailure, probeFailure } from './probe-failure.js';
import type { PlatformImage, ProbeTarget } from './registry-probe.js';
import { sharedSignal } from './time-limit.js';
import { imageFault } from './verify-image.js';

/** One image's search through its sources. */
export interface ImageHunt {
  readonly plan: ImagePlan;
  /** Sources whose blobs were asked for together with another's, in vain, with the reason; grows. */
  readonly tried: Map<RegistrySource, string>;
}

/** How long others with the same image are waited for before a transfer begins, and from what size on that pays. */
const companyMs = 1_500;
const companyBytes = 1_000_000;

/** True for a source that is a registry. */
export function isRegistrySource(source: ImageSource): source is RegistrySource {
  return source.kind === 'mirror' || source.kind === 'upstream';
}

/**
 * Gets the image that this source shows: by hyperup itself, together with all others that have the same manifest, or by
 * the engine where it may reach what hyperup can't.
 */
export async function fromRegistry(run: ObtainRun, hunt: ImageHunt, source: RegistrySource): Promise<SourceOutcome> {
  const { plan } = hunt;
  if (source.kind === 'mirror') {
    // What lies there under the mirror's name needs no network; under the canonical name it was looked at already.
    const image = await run.engine.inspectImage(source.reference);
    if (image && !imageFault(source.reference, image, expectation(run, plan))) {
      const reason = 'already in the engine under this name';
      return await putName(run, plan, { source, reference: source.reference, image, before: image, reason });
    }
  }
  const tried = hunt.tried.get(source);
  if (tried !== undefined) return { outcome: 'skipped', reason: tried };
  const dead = run.dead.get(source.host);
  if (dead !== undefined) return { outcome: 'skipped', reason: `not asked again: ${dead}` };

  run.emit({ type: 'wait', step: stepOf(plan), reason: `asking ${source.host} for ${plan.image.name}` });
  const asked = await run.probe.probe(targetOf(run, plan, source), run.signal);
  let failure: ProbeFailure;
  if (!asked.ok) failure = asked;
  else if (!asked.image) return await byEngine(run, plan, source, undefined);
  else {
    const got = await bring(run, hunt, source, asked.image, asked.root.digest);
    if ('outcome' in got) return got;
    failure = got;
  }
  if (!isFinal(failure, source.host, run.network)) return await byEngine(run, plan, source, failure);
  if (failure.wholeHost) run.dead.set(source.host, failure.reason);
  return { outcome: 'failed', reason: failure.reason, code: codes[failure.kind] };
}

/** Of failures that have a code of their own. */
const codes: Partial<Record<ProbeFailure['kind'], ErrorCode>> = { digest: 'DigestMismatch', timeout: 'Timeout' };

/** `asked`: what hyperup itself met there, where that is why the engine is to try. */
async function byEngine(
  run: ObtainRun,
  plan: ImagePlan,
  source: RegistrySource,
  asked: ProbeFailure | undefined,
): Promise<SourceOutcome> {
  const pulled = await pullByEngine(run, plan, source);
  if (pulled.ok) return pulled.outcome;
  const { error } = pulled;
  if (asked?.wholeHost) run.dead.set(source.host, asked.reason);
  else if (error.code === 'Timeout') run.dead.set(source.host, error.message);
  const reason = asked ? `${asked.reason}; the engine: ${error.message}` : error.message;
  return { outcome: 'failed', reason, code: error.code };
}

async function bring(
  run: ObtainRun,
  hunt: ImageHunt,
  source: RegistrySource,
  image: PlatformImage,
  root: string,
): Promise<SourceOutcome | ProbeFailure> {
  const { plan } = hunt;
  const digests = [...new Set([root, image.manifest.digest, image.config.digest])];
  // The same image under another name needs but the canonical one.
  const here = await run.engine.inspectImage(image.config.digest);
  if (here && !imageFault(plan.tag, here, { architecture: run.architecture, digests })) {
    // One that was loaded has no digest of a registry: only now it is known to be the pinned one.
    if ((await run.engine.inspectImage(plan.tag))?.id === here.id) {
      return { outcome: 'served', image: here, reason: 'already there', changed: false };
    }
    await journalTag(run, plan, undefined);
    await run.engine.tagImage(here.id, plan.tag);
    return { outcome: 'served', image: here, reason: 'already in the engine under another name', changed: true };
  }
  const company = await findCompany(run, hunt, source, image);
  const before = await run.engine.inspectImage(plan.tag);
  let ofTheJournal: unknown;
  try {
    const report = await run.transport.bring({
      image,
      source: readerOf(run, image, [source, ...company]),
      reference: plan.tag,
      architecture: run.architecture,
      beforeLoad: async () => {
        run.emit({ type: 'wait', step: stepOf(plan), reason: `loading ${plan.image.name} into the engine` });
        await journalTag(run, plan, undefined).catch((error: unknown) => {
          ofTheJournal = error;
          throw error;
        });
      },
      emit: (event) => {
        if (event.type === 'transfer') run.emit({ ...event, image: plan.image.name });
      },
      signal: run.signal,
    });
    const loaded = await run.engine.inspectImage(plan.tag);
    const fault = loaded ? loadFault(run, plan, image, loaded, before) : undefined;
    if (!loaded || fault) {
      await takeBack(run, plan, before);
      const reason = fault?.message ?? `load ${plan.tag}: the engine says done and has no such image`;
      return { outcome: 'failed', reason, code: fault?.code ?? 'EngineFailed' };
    }
    return { outcome: 'served', image: loaded, reason: fetchedReason(report), changed: true };
  } catch (error) {
    throwIfFatal(run, error);
    if (!isHyperupError(error)) throw error;
    if (error === ofTheJournal) throw error;
    // What can't be loaded, such as layers in zstd, an engine may still pull by itself.
    if (error.code === 'InvalidConfig') return await byEngine(run, plan, source, probeFailure('status', error.message));
    if (!ofTheSource.has(error.code)) throw error;
    for (const each of company) hunt.tried.set(each, `tried together with ${source.reference}: ${error.message}`);
    if (error.code === 'Conflict' || error.code === 'EngineFailed') {
      return { outcome: 'failed', reason: error.message, code: error.code };
    }
    noteStalled(run, [source, ...company], error);
    const kind = error.code === 'DigestMismatch' ? 'digest' : run.dead.has(source.host) ? 'timeout' : 'status';
    return probeFailure(kind, error.message);
  }
}

/** A mirror in which a layer got stuck would get every other one stuck. */
function noteStalled(run: ObtainRun, sources: readonly RegistrySource[], error: HyperupError): void {
  const { origins } = error.details;
  for (const { host, reference } of sources) {
    const found = Array.isArray(origins) ? origins.find((each) => each?.origin === reference) : undefined;
    if (found?.slow === true) run.dead.set(host, String(found.reason));
    else if (error.code === 'Timeout' && sources.length === 1) run.dead.set(host, error.message);
  }
}

/** Failures that another source may not have; a full disk it would have too. */
const ofTheSource: ReadonlySet<string> = new Set([
  'ImageUnavailable',
  'DigestMismatch',
  'RegistryFailed',
  'PermissionDenied',
  'NotFound',
  'Timeout',
  'Conflict',
  'EngineFailed',
]);

/** The other registries that have this very manifest, so that its blobs can come from them too. */
async function findCompany(
  run: ObtainRun,
  { plan, tried }: ImageHunt,
  source: RegistrySource,
  image: PlatformImage,
): Promise<readonly RegistrySource[]> {
  const others = plan.sources.filter(
    (each): each is RegistrySource =>
      isRegistrySource(each) && each !== source && !run.dead.has(each.host) && !tried.has(each),
  );
  if (others.length === 0 || sizeOf(image) < companyBytes) return [];
  const enough = new AbortController();
  const signal = sharedSignal(run.signal, enough.signal);
  const found = new Set<RegistrySource>();
  const asking = Promise.all(
    others.map(async (each) => {
      const has = await run.probe.has(each, image.manifest.digest, signal).catch(() => false);
      if (has) found.add(each);
    }),
  );
  const waiting = new AbortController();
  const late = run.clock.sleep(companyMs, waiting.signal).catch(() => {});
  await Promise.race([asking, late]);
  waiting.abort();
  enough.abort(new HyperupError('Aborted', 'ask registries: others were quicker'));
  const hosts = new Set([source.host]);
  // One name a registry: a second connection pool to the same place gives nothing.
  return others.filter((each) => found.has(each) && !hosts.has(each.host) && hosts.add(each.host));
}

/** That one image, whatever index it came from, from all these registries. */
function readerOf(run: ObtainRun, image: PlatformImage, sources: readonly RegistrySource[]): ImageReader {
  const [first] = sources;
  return readResolved({
    reference: first?.reference ?? '',
    root: image.manifest,
    pinned: true,
    sources: sources.map((source) => ({
      name: source.reference,
      reference: parseReference(source.reference),
      client: run.clients.clientFor(source.host, schemeOf(source)),
    })),
    failed: [],
  });
}

function targetOf(run: ObtainRun, plan: ImagePlan, source: RegistrySource): ProbeTarget {
  const { architecture } = run;
  return { reference: source.reference, scheme: schemeOf(source), architecture, pin: lockPin(run, plan) };
}

function schemeOf(source: RegistrySource): 'http' | 'https' | undefined {
  return source.kind === 'mirror' ? source.scheme : undefined;
}

/** The transport has checked every byte; an engine with the containerd store gives the image an id of its own. */
function loadFault(
  run: ObtainRun,
  plan: ImagePlan,
  image: PlatformImage,
  loaded: ImageSummary,
  before: ImageSummary | undefined,
): HyperupError | undefined {
  const unchanged = loaded.id === before?.id && loaded.id !== image.config.digest;
  const digests = unchanged ? [image.config.digest] : undefined;
  return imageFault(plan.tag, loaded, { architecture: run.architecture, digests });
}

/** Leaves the canonical name as it was before the load. */
async function takeBack(run: ObtainRun, plan: ImagePlan, before: ImageSummary | undefined): Promise<void> {
  if (before) await run.engine.tagImage(before.id, plan.tag);
  else await run.engine.removeImage(plan.tag);
}

function sizeOf({ config, layers }: PlatformImage): number {
  const sizes = new Map([config, ...layers].map(({ digest, size }) => [digest, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** `fetched, 45.0 MB (30.1 MB from a.example/etcd:1, 14.9 MB from b.example/etcd:1)`. */
function fetchedReason({ bytes, from }: CopyReport): string {
  const shares = from.map(({ origin, bytes: share }) => `${formatBytes(share)} from ${origin}`);
  return `fetched, ${formatBytes(bytes.moved)}${shares.length > 1 ? ` (${shares.join(', ')})` : ''}`;
}
