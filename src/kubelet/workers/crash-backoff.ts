import type { PodUid } from '../types.js';

const INITIAL_MS = 10_000;
const MAX_MS = 300_000;

/** Which back-off: another specification of the same container starts with none. */
export interface BackoffKey {
  readonly podUid: PodUid;
  readonly container: string;
  readonly hash: string;
}

/** What a plan may ask. */
export interface BackoffReader {
  /** The wait after an end at `sinceMs`, 0 for none. */
  delayMs(key: BackoffKey, sinceMs: number): number;
}

/**
 * How long a container that ended waits for its next start: none the first time, then 10 s, doubled each time up to
 * 5 min; over once it ran for 10 min. Holds no timer. Source: `client-go/util/flowcontrol/backoff.go` and
 * `kuberuntime_manager.go` `doBackOff` (v1.20).
 */
export interface CrashBackoff extends BackoffReader {
  /** A container is started again after an end at `sinceMs`. */
  restarted(key: BackoffKey, sinceMs: number, nowMs: number): void;
  forget(podUid: PodUid): void;
}

export function createCrashBackoff(): CrashBackoff {
  const pods = new Map<PodUid, Map<string, { readonly delayMs: number; readonly updatedMs: number }>>();
  const nameOf = (key: BackoffKey) => `${key.container}/${key.hash}`;
  const entryOf = (key: BackoffKey, sinceMs: number) => {
    const entry = pods.get(key.podUid)?.get(nameOf(key));
    // It ran for so long that its crashes count as over.
    return entry && sinceMs - entry.updatedMs <= 2 * MAX_MS ? entry : undefined;
  };
  return {
    delayMs: (key, sinceMs) => entryOf(key, sinceMs)?.delayMs ?? 0,
    restarted(key, sinceMs, nowMs) {
      const entry = entryOf(key, sinceMs);
      const delayMs = entry ? Math.min(entry.delayMs * 2, MAX_MS) : INITIAL_MS;
      const entries = pods.get(key.podUid) ?? new Map();
      pods.set(key.podUid, entries.set(nameOf(key), { delayMs, updatedMs: nowMs }));
    },
    forget(podUid) {
      pods.delete(podUid);
    },
  };
}

/** `10s`, `1m20s`, `5m0s`: as the API shows durations. */
export function formatDelay(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
