import { formatBytes } from '../base/bytes.js';
import { HyperupError, isHyperupError, messageOf } from '../base/errors.js';
import type { ImageSummary } from '../docker/types.js';
import { formatReference, parseReference } from '../registry/reference.js';
import { expectation, journalTag, lockPin, type SourceOutcome, throwIfFatal } from './obtain-common.js';
import type { ObtainRun } from './obtain-run.js';
import type { ImagePlan, RegistrySource } from './plan.js';
import { imageFault } from './verify-image.js';
import { watchedPull } from './watched-pull.js';

/** A canonical registry that is blocked usually hangs; mirrors get the user's full time. */
const upstreamStallMs = 10_000;

export type Pulled =
  | { readonly ok: true; readonly outcome: SourceOutcome }
  | { readonly ok: false; readonly error: HyperupError };

/**
 * Has the engine itself pull from this source, for where only the engine can reach it. Afterwards the image has its
 * canonical name, and a mirror's name only where it had that before.
 */
export async function pullByEngine(run: ObtainRun, plan: ImagePlan, source: RegistrySource): Promise<Pulled> {
  const reference = pullReference(run, plan, source);
  const before = await run.engine.inspectImage(reference);
  // This pull is itself what puts the canonical name on.
  if (reference === plan.tag) await journalTag(run, plan, undefined);
  let image: ImageSummary | undefined;
  try {
    await watchedPull(run.engine, reference, {
      clock: run.clock,
      stallMs: source.kind === 'upstream' ? Math.min(run.stallMs, upstreamStallMs) : run.stallMs,
      signal: run.signal,
      onProgress: ({ currentBytes, totalBytes }) =>
        run.emit({ type: 'transfer', image: plan.image.name, source: reference, currentBytes, totalBytes }),
    });
    image = await run.engine.inspectImage(reference);
    if (!image) throw new HyperupError('EngineFailed', `pull ${reference}: the engine says done and has no such image`);
    const fault = imageFault(reference, image, expectation(run, plan));
    if (fault) throw fault;
  } catch (error) {
    // A pull that was broken off may have ended in the same moment.
    await takeBack(run, reference, before);
    throwIfFatal(run, error);
    if (!isHyperupError(error)) throw error;
    return { ok: false, error };
  }
  const reason = `pulled, ${formatBytes(image.sizeBytes)}`;
  return { ok: true, outcome: await putName(run, plan, { source, reference, image, before, reason }) };
}

/**
 * Puts the canonical name on an image that the engine has as `reference`, and takes a mirror's name away again where
 * this run brought it. `before` is what had that name until now.
 */
export async function putName(
  run: ObtainRun,
  plan: ImagePlan,
  given: {
    readonly source: RegistrySource;
    readonly reference: string;
    readonly image: ImageSummary;
    readonly before: ImageSummary | undefined;
    readonly reason: string;
  },
): Promise<SourceOutcome> {
  const { source, reference, image, before, reason } = given;
  if (reference !== plan.tag) {
    const ours = source.kind === 'mirror' && before === undefined;
    try {
      await journalTag(run, plan, ours ? reference : undefined);
      await run.engine.tagImage(image.id, plan.tag);
    } finally {
      if (source.kind === 'mirror' && before?.id !== image.id) await takeBack(run, reference, before);
    }
  }
  return { outcome: 'served', image, reason, changed: true };
}

/** With a lock by digest: what the tag stands for there is of no interest. */
function pullReference(run: ObtainRun, plan: ImagePlan, source: RegistrySource): string {
  if (!plan.locked) return source.reference;
  const { domain, path } = parseReference(source.reference);
  return formatReference({ domain, path, digest: lockPin(run, plan)?.manifest ?? plan.locked.digest });
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
