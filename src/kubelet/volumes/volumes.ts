import type { Clock } from '../../base/clock.js';
import { isHyperupError, messageOf, throwIfAborted } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { podUidOf } from '../pod/pod-names.js';
import {
  type KubeletIdentity,
  type ObjectCache,
  type PodEvents,
  PodFailure,
  type PodUid,
  type Volumes,
} from '../types.js';
import { makeContainerBinds } from './container-binds.js';
import { makeContainerDevices } from './container-devices.js';
import { createDeviceMounts } from './device-mounts.js';
import { createFileVolumes } from './file-volumes.js';
import {
  type LivePod,
  type LiveVolume,
  makeLiveVolume,
  refuseGone,
  type VolumeWorkOptions,
  workOn,
} from './live-volume.js';
import type { Mounter } from './mounter.js';
import { podFolders, tearDownPod } from './tear-down.js';
import { createTokens } from './tokens.js';
import { createVolumeLayout } from './volume-layout.js';
import type { VolumePlan } from './volume-plan.js';
import { volumesInUseOf } from './volume-use.js';
import { sleepOrWake, within } from './waiting.js';

export interface VolumesOptions {
  readonly identity: Pick<KubeletIdentity, 'rootDir' | 'hostRoot'>;
  readonly objects: Pick<ObjectCache, 'configMap' | 'secret'>;
  readonly client: Pick<KubeClient, 'find' | 'createToken'>;
  readonly mounter: Mounter;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly events: PodEvents;
  /** The node's allocatable resources, for limits that containers don't set. */
  readonly nodeAllocatable: () => Readonly<Record<string, string>>;
  readonly hostIps: () => readonly string[];
  readonly podIpsOf: (uid: PodUid) => readonly string[];
  /** A volume that was there already shows other files now. */
  readonly onUpdated?: ((uid: PodUid, volume: string) => void) | undefined;
}

export interface ManagedVolumes extends Volumes {
  /**
   * The pod, or an object that it refers to, has changed: what is mounted is rendered again, what waits is tried again.
   * Returns at once; pods that `ensureMounted` never saw are passed over.
   */
  update(pod: V1Pod): void;
  /** Renews service accounts' tokens from now on. */
  start(): void;
  stop(): Promise<void>;
  /** For the node's status: of the kinds that are attached first, of which this kubelet has none. */
  volumesInUse(): readonly string[];
}

const timeoutMs = 123_000;
const firstRetryMs = 500;
const maxRetryMs = 122_000;
/** How long a sync waits for the renewal of what is mounted anyway, and a removal for what still runs. */
const patienceMs = 2_000;
const minRenewalMs = 10_000;
const maxRenewalMs = 60_000;

/**
 * The volumes of all pods. Pods, and the volumes of one pod, never wait for each other. What it finds on the disk and in
 * the table of mounts counts; what it remembers only spares work (v1.20 `pkg/kubelet/volumemanager`).
 */
export function createVolumes(options: VolumesOptions): ManagedVolumes {
  const { identity, objects, client, mounter, clock, logger, events } = options;
  const layout = createVolumeLayout(identity);
  const tokens = createTokens({ client, clock, random: options.random, logger });
  const files = createFileVolumes({
    layout,
    mounter,
    objects,
    tokens,
    clock,
    downwardFacts: (uid) => ({
      hostIps: options.hostIps(),
      podIps: options.podIpsOf(uid),
      allocatable: options.nodeAllocatable(),
    }),
  });
  const devices = createDeviceMounts({ layout, mounter, logger });
  const { onUpdated } = options;
  const work: VolumeWorkOptions = { identity, layout, mounter, devices, client, files, clock, events, onUpdated };
  const pods = new Map<PodUid, LivePod>();
  const tearDowns = new Map<PodUid, Promise<boolean>>();
  let stopper: AbortController | undefined;
  let renewals: Promise<void> | undefined;

  function adopt(pod: V1Pod): LivePod {
    const uid = podUidOf(pod);
    let live = pods.get(uid);
    if (!live || live.gone) {
      live = { uid, pod, volumes: new Map(), wakers: new Set(), changes: 0, gone: false };
      pods.set(uid, live);
    }
    live.pod = pod;
    for (const spec of volumesInUseOf(pod)) {
      const known = live.volumes.get(spec.name);
      if (known) known.spec = spec;
      else live.volumes.set(spec.name, makeLiveVolume(spec));
    }
    return live;
  }

  /** Tries until it is mounted or the signal fires; gives the failure that ends it. */
  async function settle(live: LivePod, volume: LiveVolume, signal: AbortSignal): Promise<unknown> {
    for (let retryMs = firstRetryMs; ; retryMs = Math.min(retryMs * 2, maxRetryMs)) {
      const { changes } = live;
      try {
        await within(workOn(live, volume, work), signal);
        return undefined;
      } catch (error) {
        if (live.gone || isHyperupError(error, 'InvalidConfig')) return error;
      }
      if (live.changes === changes) await sleepOrWake(clock, retryMs, live.wakers, signal);
      if (signal.aborted) return undefined;
    }
  }

  async function mountMissing(live: LivePod, missing: readonly LiveVolume[], signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = () => over.abort('over');
    signal.addEventListener('abort', end, { once: true });
    clock.sleep(timeoutMs, over.signal).then(end, () => {});
    let fault: unknown;
    const settled = missing.map(async (volume) => {
      const error = await settle(live, volume, over.signal);
      if (error === undefined) return;
      // The others go on by themselves; the pod is not to wait for them.
      fault ??= error;
      end();
    });
    await Promise.all(settled);
    end();
    signal.removeEventListener('abort', end);
    throwIfAborted(signal, `mount the volumes of pod ${live.uid}`);
    refuseGone(live);
    const unmounted = missing.filter((volume) => !volume.mounted).map((volume) => volume.spec.name);
    if (unmounted.length === 0) return;
    const why = fault === undefined ? 'timed out waiting for the condition' : messageOf(fault);
    const all = [...live.volumes.keys()].join(' ');
    throw new PodFailure(
      'FailedMount',
      `Unable to attach or mount volumes: unmounted volumes=[${unmounted.join(' ')}], unattached volumes=[${all}]: ${why}`,
      fault,
    );
  }

  /** Of what is set up. */
  function plansOf(pod: V1Pod): (name: string) => VolumePlan | undefined {
    const live = pods.get(podUidOf(pod));
    return (name) => {
      const volume = live?.volumes.get(name);
      return volume?.mounted ? volume.plan : undefined;
    };
  }

  /** Never fails: what is mounted keeps its content. */
  async function renew(live: LivePod): Promise<void> {
    const runs: Promise<void>[] = [];
    for (const volume of live.volumes.values()) {
      if (!volume.mounted || volume.plan?.kind !== 'files') continue;
      runs.push(
        workOn(live, volume, work).catch((error: unknown) =>
          logger.debug('a volume was not renewed', {
            podUID: live.uid,
            volume: volume.spec.name,
            err: messageOf(error),
          }),
        ),
      );
    }
    await Promise.all(runs);
  }

  function update(pod: V1Pod): void {
    const known = pods.get(podUidOf(pod));
    if (!known || known.gone) return;
    const live = adopt(pod);
    live.changes += 1;
    void renew(live);
    for (const wake of [...live.wakers]) wake();
  }

  async function isIdle(live: LivePod): Promise<boolean> {
    const tails = Promise.all([...live.volumes.values()].map((volume) => volume.tail));
    return (await patiently(tails)) !== 'late';
  }

  /** Waits for it a little. */
  async function patiently(promise: Promise<unknown>): Promise<unknown> {
    const over = new AbortController();
    const timer = clock.sleep(patienceMs, over.signal).then(
      () => 'late' as const,
      () => 'late' as const,
    );
    try {
      return await Promise.race([promise, timer]);
    } finally {
      over.abort('over');
    }
  }

  async function tearDown(uid: PodUid): Promise<boolean> {
    const live = pods.get(uid);
    if (live) {
      live.gone = true;
      for (const wake of [...live.wakers]) wake();
      if (!(await isIdle(live))) {
        logger.warn('a volume of a pod that is to go is still being set up', { podUID: uid });
        return false;
      }
      if (pods.get(uid) === live) pods.delete(uid);
    }
    tokens.forget(uid);
    return tearDownPod(uid, { layout, mounter, devices, logger });
  }

  async function renewTokens(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const left = (tokens.nextDueMs() ?? Number.POSITIVE_INFINITY) - clock.now();
      const sleepMs = Math.min(Math.max(left, minRenewalMs), maxRenewalMs);
      await sleepOrWake(clock, sleepMs, new Set(), signal);
      if (signal.aborted) return;
      for (const uid of tokens.duePods()) {
        const live = pods.get(uid);
        if (live && !live.gone) void renew(live);
      }
    }
  }

  return {
    async ensureMounted(pod, signal) {
      throwIfAborted(signal, `mount the volumes of pod ${podUidOf(pod)}`);
      const live = adopt(pod);
      const missing = [...live.volumes.values()].filter((volume) => !volume.mounted);
      const renewal = renew(live);
      if (missing.length > 0) await mountMissing(live, missing, signal);
      if ([...live.volumes.values()].some((volume) => volume.plan?.kind === 'files')) await patiently(renewal);
    },
    containerBinds(pod, container, environment) {
      return makeContainerBinds(pod, container, environment, plansOf(pod), { identity, layout, mounter, logger });
    },
    containerDevices: (pod, container) => makeContainerDevices(container, plansOf(pod), identity.hostRoot),
    tearDown(uid) {
      const running = tearDowns.get(uid) ?? tearDown(uid).finally(() => tearDowns.delete(uid));
      tearDowns.set(uid, running);
      return running;
    },
    podsOnDisk: () => podFolders(layout),
    update,
    start() {
      if (stopper) return;
      stopper = new AbortController();
      renewals = renewTokens(stopper.signal);
    },
    async stop() {
      stopper?.abort();
      await renewals;
      [stopper, renewals] = [undefined, undefined];
      await patiently(
        Promise.all([...pods.values()].flatMap((live) => [...live.volumes.values()].map(({ tail }) => tail))),
      );
    },
    volumesInUse: () => [],
  };
}
