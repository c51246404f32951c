/** What a registry says of how much may be asked of it. */
export interface RateLimit {
  readonly remaining: number;
  readonly limit: number | undefined;
  /** What the limit is of, seconds. */
  readonly windowSeconds: number | undefined;
}

/**
 * The `RateLimit-Limit` and `RateLimit-Remaining` headers (`100;w=21600`); undefined where there is none.
 * Source: Docker Hub's documentation, "Usage and limits"; draft-ietf-httpapi-ratelimit-headers.
 */
export function parseRateLimit(headers: ReadonlyMap<string, string>): RateLimit | undefined {
  const remaining = quota(headers.get('ratelimit-remaining'));
  if (remaining === undefined) return undefined;
  const limit = quota(headers.get('ratelimit-limit'));
  return {
    remaining: remaining.count,
    limit: limit?.count,
    windowSeconds: limit?.windowSeconds ?? remaining.windowSeconds,
  };
}

function quota(value: string | undefined): { count: number; windowSeconds: number | undefined } | undefined {
  const found = /^\s*(\d+)(?:.*?;\s*w=(\d+))?/.exec(value ?? '');
  if (found?.[1] === undefined) return undefined;
  return { count: Number(found[1]), windowSeconds: found[2] === undefined ? undefined : Number(found[2]) };
}
