import type { Clock } from '../base/clock.js';
import { HyperupError, isHyperupError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { EmitProgress } from '../base/progress.js';
import type { ImageOptions } from '../config/types.js';
import type { ImageEngine } from '../docker/types.js';
import type { RegistryClients } from '../registry/types.js';
import type { ReleaseImage } from '../release/types.js';
import { type EngineNetwork, imageArchitecture } from './engine-view.js';
import type { ImageBuilder } from './image-builder.js';
import type { ImageTransport } from './image-transport.js';
import type { ImageLock } from './lock/types.js';
import { stepOf } from './obtain-common.js';
import { type ImageHunt, isRegistrySource } from './obtain-registry.js';
import type { ObtainRun, TagChange } from './obtain-run.js';
import { trySource } from './obtain-source.js';
import { imagesUnavailable, type ObtainedImage, reportLine, type SourceReport } from './outcome.js';
import { describeSource, type ImageSource, planImages } from './plan.js';
import { makeRegistryProbe, type RegistryProbe } from './registry-probe.js';
import { sharedSignal } from './time-limit.js';

export interface ObtainOptions {
  readonly engine: ImageEngine;
  /** What `Engine.info()` says; without it no architecture is checked and no proxy is reckoned with. */
  readonly engineInfo?: EngineNetwork | undefined;
  readonly release: { readonly images: readonly ReleaseImage[] };
  readonly options: Pick<ImageOptions, 'mirrors' | 'build' | 'stallMs'>;
  /** What every image is held to; one that it doesn't name can't be had. */
  readonly lock?: ImageLock | undefined;
  readonly clients: Pick<RegistryClients, 'clientFor'>;
  readonly transport: ImageTransport;
  readonly builder?: ImageBuilder | undefined;
  readonly emit: EmitProgress;
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called, and awaited, before a canonical name is put on an image: by tagging, pulling or building. */
  readonly onTag: (change: TagChange) => Promise<void>;
  /** Registries that an earlier call found dead, with the reason; grows. One a call unless given. */
  readonly dead?: Map<string, string> | undefined;
  /** Tests bring their own; else one with real connections and a limit of 5 s an answer. */
  readonly probe?: RegistryProbe | undefined;
}

const probeTimeoutMs = 5_000;
const imagesAtOnce = 3;

/** How far one image has come. */
interface Progress extends ImageHunt {
  readonly reports: SourceReport[];
  obtained: ObtainedImage | undefined;
}

/**
 * Sees to it that the engine has every image of the release under its canonical name: each from the first of its
 * sources that serves it. Registries are asked for three images at once; building comes after, one image at a time,
 * and only when every image still missing can be built. Idempotent: an image that is there is left alone.
 *
 * Throws `ImageUnavailable` naming every source of every missing image and why it failed, `InvalidConfig` for a
 * malformed mirror, `Aborted`, or what the engine connection or `onTag` threw. What was obtained until then stays.
 */
export async function obtainImages(given: ObtainOptions): Promise<readonly ObtainedImage[]> {
  const plans = planImages(given.release, given.options, given.lock);
  const stop = new AbortController();
  const { clients, clock } = given;
  const probe = given.probe ?? makeRegistryProbe({ clients, timeoutMs: probeTimeoutMs, clock });
  const run: ObtainRun = {
    engine: given.engine,
    network: given.engineInfo,
    architecture: given.engineInfo ? imageArchitecture(given.engineInfo.architecture) : undefined,
    clients,
    probe,
    transport: given.transport,
    builder: given.builder,
    stallMs: given.options.stallMs,
    emit: given.emit,
    signal: sharedSignal(given.signal, stop.signal),
    logger: given.logger,
    clock,
    onTag: given.onTag,
    dead: given.dead ?? new Map(),
  };
  const images = plans.map((plan): Progress => ({ plan, tried: new Map(), reports: [], obtained: undefined }));
  await inParallel(images, imagesAtOnce, stop, async (image) => {
    await trySources(run, image, (source) => source.kind !== 'build');
  });
  await buildMissing(run, images);
  const missing = images.filter((image) => !image.obtained);
  for (const { plan } of missing) {
    run.emit({
      type: 'step',
      step: stepOf(plan),
      title: plan.image.reference,
      state: 'failed',
      detail: 'no source has it',
    });
  }
  if (missing.length > 0) {
    throw imagesUnavailable(
      missing.map(({ plan, reports }) => ({ image: plan.image, reports })),
      images.length,
      hintFor(given),
    );
  }
  return images.flatMap((image) => image.obtained ?? []);
}

async function trySources(run: ObtainRun, image: Progress, wanted: (source: ImageSource) => boolean): Promise<void> {
  const { plan, reports } = image;
  const step = { type: 'step', step: stepOf(plan), title: plan.image.reference } as const;
  const started = run.clock.monotonicMs();
  run.emit({ ...step, state: 'started' });
  for (const source of plan.sources.filter(wanted)) {
    const from = run.clock.monotonicMs();
    const outcome = await trySource(run, image, source);
    if (source.kind === 'engine' && outcome.outcome !== 'served') greetAll(run, image);
    const report: SourceReport = {
      source,
      outcome: outcome.outcome,
      reason: outcome.reason,
      ...(outcome.outcome === 'served' ? {} : { code: outcome.code }),
      elapsedMs: run.clock.monotonicMs() - from,
    };
    reports.push(report);
    run.logger.debug('image source tried', {
      image: plan.image.name,
      source: describeSource(source),
      outcome: report.outcome,
      reason: report.reason,
      elapsedMs: report.elapsedMs,
    });
    if (outcome.outcome === 'served') {
      const { id, sizeBytes } = outcome.image;
      const { name } = plan.image;
      image.obtained = { name, reference: plan.tag, id, sizeBytes, source, changed: outcome.changed, reports };
      const detail = `${source.kind === 'engine' ? '' : `${describeSource(source)}: `}${outcome.reason}`;
      run.emit({ ...step, state: 'done', detail, elapsedMs: run.clock.monotonicMs() - started });
      return;
    }
    // That the engine lacks an image is why the rest is tried at all; no need to tell.
    if (source.kind !== 'engine' || report.code !== undefined) {
      run.emit({ type: 'note', level: 'warn', message: `${plan.image.name}: ${reportLine(report)}` });
    }
  }
}

/** Those that hang do so together, while the first ones are asked. */
function greetAll(run: ObtainRun, { plan }: ImageHunt): void {
  for (const source of plan.sources) {
    if (!isRegistrySource(source) || run.dead.has(source.host)) continue;
    run.probe.greet(source.host, source.kind === 'mirror' ? source.scheme : undefined);
  }
}

/** Builds take minutes, so none begins while another image is known to be beyond reach. */
async function buildMissing(run: ObtainRun, images: readonly Progress[]): Promise<void> {
  const missing = images.filter((image) => !image.obtained);
  const recipeOf = ({ plan }: Progress) => plan.sources.find((source) => source.kind === 'build');
  const beyond = missing.filter((image) => {
    const source = recipeOf(image);
    return !source || !run.builder?.canBuild(source.recipe);
  });
  for (const image of missing) {
    const source = recipeOf(image);
    if (source && beyond.length > 0 && !beyond.includes(image)) {
      const names = beyond.map(({ plan }) => plan.image.name).join(', ');
      image.reports.push({
        source,
        outcome: 'skipped',
        reason: `not begun, since ${names} can neither be pulled nor built`,
        elapsedMs: 0,
      });
    } else if (source) await trySources(run, image, ({ kind }) => kind === 'build');
  }
}

/**
 * Runs `work` on every item, `limit` at a time, and waits for all of them. The first one that throws stops the others
 * through `stop`, and its error is what comes out.
 */
async function inParallel<T>(
  items: readonly T[],
  limit: number,
  stop: AbortController,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const item of queue) {
      try {
        await work(item);
      } catch (error) {
        failures.push(error);
        stop.abort(new HyperupError('Aborted', 'obtain images: another image failed'));
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures.find((error) => !isHyperupError(error, 'Aborted')) ?? failures[0];
}

function hintFor({ options, release }: ObtainOptions): string {
  const hints: string[] = [];
  if (options.mirrors.length === 0)
    hints.push('Name a registry that has them with --mirror HOST[:PORT][/PATH], or --mirror cn.');
  else hints.push('Test the mirrors with hyperup images mirrors, or add another with --mirror.');
  if (!options.build && release.images.some((image) => image.recipe)) {
    hints.push("Or leave out --no-build, so that hyperup builds them from the distribution's packages.");
  }
  hints.push('Or load them into the engine with docker load.');
  return hints.join(' ');
}
