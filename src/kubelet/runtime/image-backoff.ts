import type { Clock } from '../../base/clock.js';

/** Waits by key, each twice the one before (client-go v0.20 `util/flowcontrol/backoff.go`, which image pulls go by). */
export interface KeyedBackoff {
  /** True until the key's wait is over. */
  isWaiting(key: string): boolean;
  /** It failed once more. Long after its last failure it begins anew. */
  failed(key: string): void;
  succeeded(key: string): void;
}

const initialMs = 10_000;
const maxMs = 300_000;

export function createKeyedBackoff(clock: Clock): KeyedBackoff {
  const entries = new Map<string, { readonly waitMs: number; readonly atMs: number }>();
  const sinceMs = (atMs: number) => clock.monotonicMs() - atMs;
  const current = (key: string) => {
    const entry = entries.get(key);
    return entry && sinceMs(entry.atMs) <= 2 * maxMs ? entry : undefined;
  };
  return {
    isWaiting(key) {
      const entry = current(key);
      return entry !== undefined && sinceMs(entry.atMs) < entry.waitMs;
    },
    failed(key) {
      for (const [other] of entries) if (!current(other)) entries.delete(other);
      const before = current(key);
      entries.set(key, { waitMs: before ? Math.min(before.waitMs * 2, maxMs) : initialMs, atMs: clock.monotonicMs() });
    },
    succeeded: (key) => void entries.delete(key),
  };
}
