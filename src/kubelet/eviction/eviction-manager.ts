import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { EvictionOptions } from '../config/kubelet-options.js';
import type { PodEvents, PodUid } from '../types.js';
import { rankForEviction, type UsageOf } from './rank-pods.js';
import { conditionOfSignal, type EvictionSignal, findMet, resourceOfSignal, type SignalReadings } from './signals.js';

export interface EvictionManagerOptions {
  readonly thresholds: EvictionOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: PodEvents;
  readonly read: () => Promise<SignalReadings>;
  /** Pods that run or are about to. */
  readonly pods: () => readonly V1Pod[];
  /** By what runs out: `memory`, `ephemeral-storage`, `inodes`, `pids`. */
  readonly usage: (resource: string) => Promise<UsageOf>;
  /** Makes room on the disk without touching a pod: dead containers, unused images. */
  readonly reclaimDisk: () => Promise<void>;
  readonly evict: (uid: PodUid, how: { graceSeconds: number; reason: string; message: string }) => void;
  readonly uidOf: (pod: V1Pod) => PodUid;
  /** The set of pressing conditions has changed. */
  readonly onPressure: () => void;
}

export interface EvictionManager {
  start(): void;
  stop(): Promise<void>;
  /** Conditions that are true: `MemoryPressure`, `DiskPressure`, `PIDPressure`. */
  pressure(): readonly string[];
  /** One round, for tests; the loop calls nothing else. */
  check(): Promise<void>;
}

/**
 * Watches what can run out and stops one pod a round while it does (v1.20 `pkg/kubelet/eviction/eviction_manager.go`). A
 * condition stays for the transition period after it was last seen, so that a node doesn't flap.
 */
export function createEvictionManager(options: EvictionManagerOptions): EvictionManager {
  const { thresholds, clock, logger } = options;
  const controller = new AbortController();
  /** When a condition was last seen, and since when a soft threshold has been crossed. */
  const lastSeenMs = new Map<string, number>();
  const softSinceMs = new Map<EvictionSignal, number>();
  /** The conditions that `onPressure` was last called for; they may end between two rounds. */
  let reported = '';
  let loop: Promise<void> = Promise.resolve();

  function pressure(): readonly string[] {
    const nowMs = clock.monotonicMs();
    return [...lastSeenMs].filter(([, at]) => nowMs - at < thresholds.pressureTransitionMs).map(([name]) => name);
  }

  /** Hard ones at once, soft ones once their grace is over. */
  function findDue(readings: SignalReadings): readonly { signal: EvictionSignal; isHard: boolean }[] {
    const nowMs = clock.monotonicMs();
    const hard = findMet(readings, thresholds.hard);
    const soft = findMet(readings, thresholds.soft);
    for (const signal of softSinceMs.keys()) if (!soft.includes(signal)) softSinceMs.delete(signal);
    for (const signal of soft) if (!softSinceMs.has(signal)) softSinceMs.set(signal, nowMs);
    for (const signal of [...hard, ...soft]) lastSeenMs.set(conditionOfSignal[signal], nowMs);
    const known = pressure().join();
    if (known !== reported) options.onPressure();
    reported = known;
    const ripe = soft.filter(
      (signal) => nowMs - (softSinceMs.get(signal) ?? nowMs) >= (thresholds.softGraceMs[signal] ?? 0),
    );
    return [
      ...hard.map((signal) => ({ signal, isHard: true })),
      ...ripe.filter((signal) => !hard.includes(signal)).map((signal) => ({ signal, isHard: false })),
    ];
  }

  async function check(): Promise<void> {
    const readings = await options.read();
    let due = findDue(readings);
    if (due.some(({ signal }) => conditionOfSignal[signal] === 'DiskPressure')) {
      await options.reclaimDisk();
      due = findDue(await options.read());
    }
    // Memory first: it can't wait.
    const [first] = due.toSorted((a, b) => rank(a.signal) - rank(b.signal));
    if (!first) return;
    const resource = resourceOfSignal[first.signal];
    options.events.node('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    const [victim] = rankForEviction(options.pods(), resource, await options.usage(resource));
    if (!victim) {
      logger.warn('Nothing to evict though a resource runs out', { resource });
      return;
    }
    const grace = first.isHard
      ? 0
      : Math.min(thresholds.maxPodGraceSeconds, victim.spec?.terminationGracePeriodSeconds ?? 30);
    const message = `The node was low on resource: ${resource}. `;
    options.events.pod(victim, 'Warning', 'Evicted', message);
    options.evict(options.uidOf(victim), { graceSeconds: grace, reason: 'Evicted', message });
  }

  async function run(): Promise<void> {
    while (!controller.signal.aborted) {
      await check().catch((error: unknown) => {
        logger.warn('Eviction check failed', { err: messageOf(error) });
      });
      await clock.sleep(thresholds.intervalMs, controller.signal).catch(() => {});
    }
  }

  return {
    start() {
      loop = run();
    },
    async stop() {
      controller.abort();
      await loop;
    },
    pressure,
    check,
  };
}

function rank(signal: EvictionSignal): number {
  return signal === 'memory.available' ? 0 : 1;
}
