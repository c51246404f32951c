import { type ErrorCode, isHyperupError, throwIfAborted } from '../base/errors.js';
import type { ImageSummary } from '../docker/types.js';
import { lockedPlatform } from './lock/lookup.js';
import type { LockedPlatform } from './lock/types.js';
import type { ObtainRun } from './obtain-run.js';
import type { ImagePlan } from './plan.js';
import type { ImageExpectation } from './verify-image.js';

/** What came of one source. Fatal errors (abort, engine gone, journal not writable) throw instead. */
export type SourceOutcome =
  | { readonly outcome: 'served'; readonly image: ImageSummary; readonly reason: string; readonly changed: boolean }
  | { readonly outcome: 'failed' | 'skipped'; readonly reason: string; readonly code?: ErrorCode | undefined };

/** What a lock wants of this machine's image; undefined where there is no lock, or no such platform in it. */
export function lockPin(
  { architecture }: Pick<ObtainRun, 'architecture'>,
  { locked }: ImagePlan,
): (LockedPlatform & { readonly root: string }) | undefined {
  const platform =
    locked && architecture !== undefined ? lockedPlatform(locked, { os: 'linux', architecture }) : undefined;
  return locked && platform ? { ...platform, root: locked.digest } : undefined;
}

/** What is wanted of the engine's image, by its reference and the lock. */
export function expectation(run: Pick<ObtainRun, 'architecture'>, plan: ImagePlan): ImageExpectation {
  const { architecture } = run;
  if (!plan.locked) return { architecture, digests: plan.digest === undefined ? undefined : [plan.digest] };
  const pin = lockPin(run, plan);
  return { architecture, digests: pin ? [pin.config, pin.manifest, pin.root] : [plan.locked.digest] };
}

/** Tells the journal of the canonical name before it is put on. */
export async function journalTag(run: ObtainRun, plan: ImagePlan, pulledAs: string | undefined): Promise<void> {
  const previous = await run.engine.inspectImage(plan.tag);
  await run.onTag({ reference: plan.tag, previousId: previous?.id, pulledAs });
}

/** Throws what no other source could help with. */
export function throwIfFatal(run: ObtainRun, error: unknown): void {
  throwIfAborted(run.signal, 'obtain images');
  if (isHyperupError(error, 'Aborted') || isHyperupError(error, 'EngineUnreachable')) throw error;
}

/** The id of an image's step in progress events. */
export function stepOf(plan: ImagePlan): string {
  return `image ${plan.image.name}`;
}
