import type { Clock } from '../../base/clock.js';
import { messageOf, throwIfAborted } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { EmitProgress } from '../../base/progress.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { startReflector } from '../../kube/reflector.js';
import { resources } from '../../kube/resource-ref.js';
import { type BringOutcome, type ImageDesk, makeImageDesk } from './image-desk.js';
import { nudgePods } from './nudge-pods.js';
import { type ImageWait, imageWaits, type PodKey, podKeyOf, type WaitRemedy } from './pod-waits.js';
import { arrivalText, failureText, refusalText } from './watch-text.js';

export interface WatchWorkloadsOptions {
  readonly kube: Pick<KubeClient, 'listAll' | 'watch' | 'patch'>;
  /** Whose pods are looked after: the one whose engine the images are brought to. */
  readonly nodeName: string;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** See to what waits now, and end. */
  readonly once: boolean;
  /** As `DeskOptions.bring`; `transfer` events go to `emit`. */
  readonly bring: (reference: string, signal: AbortSignal) => Promise<BringOutcome>;
  readonly emit: EmitProgress;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly random?: (() => number) | undefined;
}

/** One image that pods waited for. */
export interface WorkloadImage {
  readonly reference: string;
  readonly outcome: 'brought' | 'failed';
  /** Where it came from, or why it could not be had. */
  readonly detail: string;
  /** A line a source, where none had it. */
  readonly reasons: readonly string[];
  /** `NAMESPACE/NAME`. */
  readonly pods: readonly string[];
}

/** A container that no image in the engine can help. */
export interface RefusedWait {
  readonly pod: string;
  readonly container: string;
  readonly image: string;
  readonly remedy: Exclude<WaitRemedy, 'fetch'>;
  /** Why, and what the user can do. */
  readonly detail: string;
}

/** What came of `once`; of a watch that was ended, only how many images it brought. */
export interface WatchReport {
  readonly brought: number;
  readonly images: readonly WorkloadImage[];
  readonly refused: readonly RefusedWait[];
}

/**
 * Brings the images that pods of a node wait for, as they come to wait, until the signal fires; its images' failures are
 * told and tried again, with back-off. No pod is changed but by an annotation that comes and goes. With `once`, what
 * waits now, each image once. Throws what the API server's first answer is where it is none; `Aborted` with `once`.
 */
export async function watchWorkloads(options: WatchWorkloadsOptions): Promise<WatchReport> {
  const { kube, emit, clock, logger, nodeName, namespaces, once } = options;
  throwIfAborted(options.signal, 'watch pods');
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const images = new Map<string, WorkloadImage>();
  const refused: RefusedWait[] = [];
  let brought = 0;
  const desk = makeImageDesk({
    bring: options.bring,
    onArrival: (_reference, pods) => nudgePods(kube, pods, { logger, signal }),
    onOutcome: (reference, outcome, pods) => {
      if (outcome.ok) brought += 1;
      if (once) images.set(reference, imageOf(reference, outcome, pods));
      emit(outcomeStep(reference, outcome, pods));
    },
    onRefusal: (pod, wait) => {
      const { text, hint } = refusalText(pod, wait);
      if (once) refused.push(refusalOf(pod, wait, `${text}. ${hint}`));
      emit({ type: 'note', level: 'warn', message: text, hint });
    },
    clock,
    signal,
    random: options.random,
  });
  const isOurs = ({ metadata, spec }: V1Pod) =>
    spec?.nodeName === nodeName && (namespaces.length === 0 || namespaces.includes(metadata?.namespace ?? ''));
  const selection = {
    fieldSelector: `spec.nodeName=${nodeName}`,
    namespace: namespaces.length === 1 ? namespaces[0] : undefined,
  };
  try {
    // Asked apart from the reflector, which never gives up: one that can't answer at all is to be told.
    const first = await kube.listAll(resources.pods, { ...selection, signal });
    seeAll(desk, first.items.filter(isOurs));
    if (once) {
      await desk.tried();
      return { brought, images: [...images.values()], refused };
    }
    const where = namespaces.length === 0 ? 'all namespaces' : namespaces.join(', ');
    emit({ type: 'note', level: 'info', message: `watching the pods of ${nodeName} in ${where}` });
    const reflector = startReflector({
      client: tellingClient(kube, emit, signal),
      resource: resources.pods,
      ...selection,
      clock,
      logger,
      random: options.random,
      onChange: (change) => {
        if (change.type === 'replaced') seeAll(desk, change.objects.filter(isOurs));
        else if (change.type === 'deleted') desk.forget(podKeyOf(change.object).uid);
        else if (isOurs(change.object)) desk.see(podKeyOf(change.object), imageWaits(change.object));
      },
    });
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await reflector.stop();
    return { brought, images: [], refused: [] };
  } finally {
    stop.abort();
    await desk.ended();
  }
}

/** A list is all there is: pods that aren't in it are gone. */
function seeAll(desk: ImageDesk, pods: readonly V1Pod[]): void {
  const there = new Set(pods.map((pod) => podKeyOf(pod).uid));
  for (const uid of desk.known()) if (!there.has(uid)) desk.forget(uid);
  for (const pod of pods) desk.see(podKeyOf(pod), imageWaits(pod));
}

/** Says once that lists fail, until one succeeds again. */
function tellingClient(
  kube: Pick<KubeClient, 'listAll' | 'watch'>,
  emit: EmitProgress,
  signal: AbortSignal,
): Pick<KubeClient, 'listAll' | 'watch'> {
  let failing = false;
  return {
    watch: (ref, options) => kube.watch(ref, options),
    listAll: async (ref, options) => {
      try {
        const list = await kube.listAll(ref, options);
        if (failing) emit({ type: 'note', level: 'info', message: 'the API server answers again' });
        failing = false;
        return list;
      } catch (error) {
        if (!failing && !signal.aborted) {
          emit({ type: 'note', level: 'warn', message: `${messageOf(error)}; it is asked again` });
        }
        failing = true;
        throw error;
      }
    },
  };
}

function outcomeStep(reference: string, outcome: BringOutcome, pods: readonly PodKey[]): Parameters<EmitProgress>[0] {
  const step = { type: 'step', step: `image ${reference}`, title: reference } as const;
  return outcome.ok
    ? { ...step, state: 'done', detail: arrivalText(outcome, pods) }
    : { ...step, state: 'failed', detail: failureText(outcome, pods) };
}

function imageOf(reference: string, outcome: BringOutcome, pods: readonly PodKey[]): WorkloadImage {
  return {
    reference,
    outcome: outcome.ok ? 'brought' : 'failed',
    detail: outcome.ok ? outcome.from : outcome.message,
    reasons: outcome.ok ? [] : outcome.reasons,
    pods: pods.map(({ namespace, name }) => `${namespace}/${name}`),
  };
}

function refusalOf({ namespace, name }: PodKey, { container, image, remedy }: ImageWait, detail: string): RefusedWait {
  if (remedy === 'fetch') throw new TypeError('an image that can be fetched is not refused');
  return { pod: `${namespace}/${name}`, container, image, remedy, detail };
}
