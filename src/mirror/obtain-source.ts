import { formatBytes } from '../base/bytes.js';
import { type ErrorCode, HyperupError, isHyperupError, messageOf, throwIfAborted } from '../base/errors.js';
import type { ImageSummary } from '../docker/types.js';
import { isFinal, isInsecure } from './engine-view.js';
import type { ObtainRun } from './obtain-run.js';
import type { ImagePlan, ImageSource } from './plan.js';
import { type ImageExpectation, imageFault } from './verify-image.js';
import { watchedPull } from './watched-pull.js';

/** What came of one source. Fatal errors (abort, engine gone, journal not writable) throw instead. */
export type SourceOutcome =
  | { readonly outcome: 'served'; readonly image: ImageSummary; readonly reason: string; readonly changed: boolean }
  | { readonly outcome: 'failed' | 'skipped'; readonly reason: string; readonly code?: ErrorCode | undefined };

type RegistrySource = Extract<ImageSource, { kind: 'mirror' | 'upstream' }>;

/** A canonical registry that is blocked usually hangs; mirrors get the user's full time. */
const upstreamStallMs = 10_000;

/** Tries one source of one image; served means: in the engine, checked, and under its canonical name. */
export async function trySource(run: ObtainRun, plan: ImagePlan, source: ImageSource): Promise<SourceOutcome> {
  throwIfAborted(run.signal, `obtain ${plan.image.name}`);
  switch (source.kind) {
    case 'engine':
      return await fromEngine(run, plan);
    case 'mirror':
    case 'upstream':
      return await fromRegistry(run, plan, source);
    case 'build':
      return await fromBuild(run, plan, source.recipe);
  }
}

async function fromEngine(run: ObtainRun, plan: ImagePlan): Promise<SourceOutcome> {
  const image = await run.engine.inspectImage(plan.tag);
  if (!image) return { outcome: 'failed', reason: 'it has no such image' };
  const fault = imageFault(plan.tag, image, expectation(run, plan));
  if (fault) return { outcome: 'failed', reason: fault.message, code: fault.code };
  return { outcome: 'served', image, reason: 'already there', changed: false };
}

async function fromRegistry(run: ObtainRun, plan: ImagePlan, source: RegistrySource): Promise<SourceOutcome> {
  const before = await run.engine.inspectImage(source.reference);
  // What lies there under the mirror's name needs no network; under the canonical name it was looked at already.
  if (before && source.kind === 'mirror' && !imageFault(source.reference, before, expectation(run, plan))) {
    return await putName(run, plan, source, before, 'already in the engine under this name', before);
  }
  const dead = run.dead.get(source.host);
  if (dead !== undefined) return { outcome: 'skipped', reason: `not asked again: ${dead}` };

  run.emit({ type: 'wait', step: stepOf(plan), reason: `asking ${source.host} for ${plan.image.name}` });
  const asked = await run.probe.probe(
    {
      reference: source.reference,
      scheme: source.kind === 'mirror' ? source.scheme : undefined,
      insecure: isInsecure(run.network, source.host),
      architecture: run.architecture,
    },
    run.signal,
  );
  if (!asked.ok && isFinal(asked, source.host, run.network)) {
    if (asked.wholeHost) run.dead.set(source.host, asked.reason);
    return { outcome: 'failed', reason: asked.reason, code: asked.kind === 'digest' ? 'DigestMismatch' : undefined };
  }
  // This pull is itself what puts the canonical name on.
  if (source.reference === plan.tag) await journalTag(run, plan, undefined);
  const pulled = await pull(run, plan, source, before);
  if (pulled.ok) return await putName(run, plan, source, pulled.image, pulledReason(pulled.image), before);
  if (!asked.ok && asked.wholeHost) run.dead.set(source.host, asked.reason);
  else if (pulled.error.code === 'Timeout') run.dead.set(source.host, pulled.error.message);
  const reason = asked.ok ? pulled.error.message : `${asked.reason}; the engine: ${pulled.error.message}`;
  return { outcome: 'failed', reason, code: pulled.error.code };
}

type Pulled =
  | { readonly ok: true; readonly image: ImageSummary }
  | { readonly ok: false; readonly error: HyperupError };

async function pull(
  run: ObtainRun,
  plan: ImagePlan,
  source: RegistrySource,
  before: ImageSummary | undefined,
): Promise<Pulled> {
  try {
    await watchedPull(run.engine, source.reference, {
      clock: run.clock,
      stallMs: source.kind === 'upstream' ? Math.min(run.stallMs, upstreamStallMs) : run.stallMs,
      signal: run.signal,
      onProgress: ({ currentBytes, totalBytes }) =>
        run.emit({ type: 'transfer', image: plan.image.name, source: source.reference, currentBytes, totalBytes }),
    });
    const image = await run.engine.inspectImage(source.reference);
    if (!image) {
      throw new HyperupError('EngineFailed', `pull ${source.reference}: the engine says done and has no such image`);
    }
    const fault = imageFault(source.reference, image, expectation(run, plan));
    if (fault) throw fault;
    return { ok: true, image };
  } catch (error) {
    // A pull that was broken off may have ended in the same moment.
    await takeBack(run, source.reference, before);
    throwIfFatal(run, error);
    if (!isHyperupError(error)) throw error;
    return { ok: false, error };
  }
}

/**
 * Puts the canonical name on what was pulled, and takes a mirror's name away again where this run brought it.
 * `before` is what had the source's name until now.
 */
async function putName(
  run: ObtainRun,
  plan: ImagePlan,
  source: RegistrySource,
  image: ImageSummary,
  reason: string,
  before: ImageSummary | undefined,
): Promise<SourceOutcome> {
  if (source.reference !== plan.tag) {
    const ours = source.kind === 'mirror' && before === undefined;
    try {
      await journalTag(run, plan, ours ? source.reference : undefined);
      await run.engine.tagImage(image.id, plan.tag);
    } finally {
      if (source.kind === 'mirror' && before?.id !== image.id) await takeBack(run, source.reference, before);
    }
  }
  return { outcome: 'served', image, reason, changed: true };
}

async function fromBuild(
  run: ObtainRun,
  plan: ImagePlan,
  recipe: Extract<ImageSource, { kind: 'build' }>['recipe'],
): Promise<SourceOutcome> {
  if (!run.builder) return { outcome: 'skipped', reason: 'building is not set up' };
  if (!run.builder.canBuild(recipe)) return { outcome: 'skipped', reason: 'this host cannot build it' };
  await journalTag(run, plan, undefined);
  try {
    await run.builder.build(recipe, plan.tag, { emit: run.emit, signal: run.signal });
  } catch (error) {
    throwIfFatal(run, error);
    return { outcome: 'failed', reason: messageOf(error), code: isHyperupError(error) ? error.code : undefined };
  }
  const image = await run.engine.inspectImage(plan.tag);
  if (!image) return { outcome: 'failed', reason: 'the build ended without an image', code: 'BuildFailed' };
  const fault = imageFault(plan.tag, image, expectation(run, plan));
  if (fault) return { outcome: 'failed', reason: fault.message, code: fault.code };
  return { outcome: 'served', image, reason: `built from the distribution's packages`, changed: true };
}

async function journalTag(run: ObtainRun, plan: ImagePlan, pulledAs: string | undefined): Promise<void> {
  const previous = await run.engine.inspectImage(plan.tag);
  await run.onTag({ reference: plan.tag, previousId: previous?.id, pulledAs });
}

/** Leaves `reference` as it was before the pull. */
async function takeBack(run: ObtainRun, reference: string, before: ImageSummary | undefined): Promise<void> {
  try {
    if (!before) await run.engine.removeImage(reference);
    else if (!reference.includes('@')) await run.engine.tagImage(before.id, reference);
  } catch (error) {
    run.logger.warn('could not take a pulled name back', { reference, err: messageOf(error) });
  }
}

function throwIfFatal(run: ObtainRun, error: unknown): void {
  throwIfAborted(run.signal, 'obtain images');
  if (isHyperupError(error, 'Aborted') || isHyperupError(error, 'EngineUnreachable')) throw error;
}

function expectation(run: ObtainRun, plan: ImagePlan): ImageExpectation {
  return { architecture: run.architecture, digest: plan.digest };
}

function pulledReason(image: ImageSummary): string {
  return `pulled, ${formatBytes(image.sizeBytes)}`;
}

/** The id of an image's step in progress events. */
export function stepOf(plan: ImagePlan): string {
  return `image ${plan.image.name}`;
}
