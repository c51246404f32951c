import type { Clock } from '../../base/clock.js';
import { HyperupError, isHyperupError, messageOf } from '../../base/errors.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Pod, V1Volume } from '../../kube/pod-objects.js';
import type { PodEvents, PodUid } from '../types.js';
import { hasPayload } from './atomic-writer.js';
import type { FileVolumes } from './file-volumes.js';
import { type SetUpOptions, setUpVolume } from './set-up.js';
import { planVolume, type VolumePlan } from './volume-plan.js';

const firstQuietMs = 500;
const maxQuietMs = 122_000;

/** A pod whose volumes this process has seen. */
export interface LivePod {
  readonly uid: PodUid;
  /** The newest seen. */
  pod: V1Pod;
  readonly volumes: Map<string, LiveVolume>;
  /** Those who wait for one of its volumes to be tried again. */
  readonly wakers: Set<() => void>;
  /** Counts what may have made another try worth while. */
  changes: number;
  /** Being removed: nothing may be written any more. */
  gone: boolean;
}

/** One volume; everything done with it is done in a row. */
export interface LiveVolume {
  spec: V1Volume;
  plan: VolumePlan | undefined;
  mounted: boolean;
  /** Of the files that were rendered last. */
  hash: string | undefined;
  /** Settles, never rejects, when nothing runs any more. */
  tail: Promise<void>;
  /** A run that hasn't begun: whoever wants one now joins it. */
  queued: Promise<void> | undefined;
  quietMs: number;
  nextEventAtMs: number;
}

export function makeLiveVolume(spec: V1Volume): LiveVolume {
  return {
    spec,
    plan: undefined,
    mounted: false,
    hash: undefined,
    tail: Promise.resolve(),
    queued: undefined,
    quietMs: firstQuietMs,
    nextEventAtMs: 0,
  };
}

export interface VolumeWorkOptions extends SetUpOptions {
  readonly client: Pick<KubeClient, 'find'>;
  readonly files: FileVolumes;
  readonly clock: Clock;
  readonly events: PodEvents;
  readonly onUpdated: ((uid: PodUid, volume: string) => void) | undefined;
}

/**
 * Sets a volume up, or renders it again; one that is mounted keeps its content where that fails. Rejects with what went
 * wrong where it isn't mounted: `InvalidConfig` where trying again makes no sense, `Aborted` where the pod is gone.
 */
export function workOn(live: LivePod, volume: LiveVolume, options: VolumeWorkOptions): Promise<void> {
  if (volume.queued !== undefined) return volume.queued;
  const run = volume.tail.then(() => {
    volume.queued = undefined;
    return work(live, volume, options);
  });
  volume.queued = run;
  volume.tail = run.catch(() => {});
  return run;
}

/** Pods that were torn down meanwhile. */
export function refuseGone(live: LivePod): void {
  if (live.gone) throw new HyperupError('Aborted', `set up the volumes of pod ${live.uid}: it is being removed`);
}

async function work(live: LivePod, volume: LiveVolume, options: VolumeWorkOptions): Promise<void> {
  refuseGone(live);
  volume.plan ??= await planVolume(live.pod, live.uid, volume.spec, options);
  refuseGone(live);
  try {
    if (volume.plan.kind === 'files') await renderFiles(live, volume, volume.plan, options);
    else if (!volume.mounted) await setUpVolume(live.pod, volume.plan, options);
    volume.mounted = true;
    volume.quietMs = firstQuietMs;
    volume.nextEventAtMs = 0;
  } catch (error) {
    if (isHyperupError(error, 'Aborted')) throw error;
    tell(live, volume, error, options);
    if (volume.plan.kind !== 'files') throw error;
    // From before a restart of the kubelet: as good as what is kept while it runs.
    volume.mounted ||= await hasPayload(volume.plan.path);
    if (!volume.mounted) throw error;
  }
}

async function renderFiles(
  live: LivePod,
  volume: LiveVolume,
  plan: Extract<VolumePlan, { kind: 'files' }>,
  { files, onUpdated }: VolumeWorkOptions,
): Promise<void> {
  const before = volume.hash;
  volume.hash = await files.render(live.pod, live.uid, volume.spec, plan, before);
  if (before !== undefined && before !== volume.hash) onUpdated?.(live.uid, plan.name);
}

/** The first failure, then fewer and fewer of them. */
function tell(live: LivePod, volume: LiveVolume, error: unknown, { clock, events }: VolumeWorkOptions): void {
  const now = clock.monotonicMs();
  if (now < volume.nextEventAtMs) return;
  volume.nextEventAtMs = now + volume.quietMs;
  volume.quietMs = Math.min(volume.quietMs * 2, maxQuietMs);
  const [reason, step] =
    volume.plan?.kind === 'device'
      ? ['FailedMapVolume', 'MapVolume.MapPodDevice']
      : ['FailedMount', 'MountVolume.SetUp'];
  const text = `${step} failed for volume "${volume.spec.name}" : ${messageOf(error)}`;
  events.pod(live.pod, 'Warning', reason, text);
}
