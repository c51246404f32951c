import { isHyperupError, messageOf, throwIfAborted } from '../base/errors.js';
import { expectation, journalTag, type SourceOutcome, throwIfFatal } from './obtain-common.js';
import { fromRegistry, type ImageHunt } from './obtain-registry.js';
import type { ObtainRun } from './obtain-run.js';
import type { ImagePlan, ImageSource } from './plan.js';
import { imageFault } from './verify-image.js';

/** Tries one source of one image; served means: in the engine, checked, and under its canonical name. */
export async function trySource(run: ObtainRun, hunt: ImageHunt, source: ImageSource): Promise<SourceOutcome> {
  const { plan } = hunt;
  throwIfAborted(run.signal, `obtain ${plan.image.name}`);
  switch (source.kind) {
    case 'engine':
      return await fromEngine(run, plan);
    case 'mirror':
    case 'upstream':
      return await fromRegistry(run, hunt, source);
    case 'build':
      return await fromBuild(run, plan, source.recipe);
    case 'lock':
      return { outcome: 'failed', reason: source.reason };
  }
}

async function fromEngine(run: ObtainRun, plan: ImagePlan): Promise<SourceOutcome> {
  const image = await run.engine.inspectImage(plan.tag);
  if (!image) return { outcome: 'failed', reason: 'it has no such image' };
  const fault = imageFault(plan.tag, image, expectation(run, plan));
  if (fault) return { outcome: 'failed', reason: fault.message, code: fault.code };
  return { outcome: 'served', image, reason: 'already there', changed: false };
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
