import type { Clock } from '../../base/clock.js';

export interface ExpiringCacheOptions<T> {
  readonly clock: Clock;
  /** The oldest go beyond that. */
  readonly maxEntries: number;
  readonly ttlMs: (value: T) => number;
}

export interface ExpiringCache<T> {
  /** What is known, else what `load` gives; asked once at a time for each key. Failures are not kept. */
  get(key: string, load: () => Promise<T>): Promise<T>;
}

/** Answers by key, each kept for as long as its value says. */
export function createExpiringCache<T>(options: ExpiringCacheOptions<T>): ExpiringCache<T> {
  const { clock } = options;
  const entries = new Map<string, { readonly value: Promise<T>; until: number }>();
  return {
    get(key, load) {
      const known = entries.get(key);
      if (known !== undefined && clock.monotonicMs() < known.until) return known.value;
      const value = load();
      const entry = { value, until: Number.POSITIVE_INFINITY };
      entries.delete(key);
      entries.set(key, entry);
      for (const oldest of entries.keys()) {
        if (entries.size <= options.maxEntries) break;
        entries.delete(oldest);
      }
      value.then(
        (result) => {
          entry.until = clock.monotonicMs() + options.ttlMs(result);
        },
        () => {
          if (entries.get(key) === entry) entries.delete(key);
        },
      );
      return value;
    },
  };
}
