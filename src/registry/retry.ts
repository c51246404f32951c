import type { Clock } from '../base/clock.js';
import { type HyperupError, throwIfAborted } from '../base/errors.js';
import { failureKindOf } from './registry-error.js';

export interface RetryPolicy {
  /** Tries after the first. */
  readonly retries: number;
  /** A registry that wants to be left alone for longer than this has failed; milliseconds. */
  readonly maxWaitMs: number;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
}

const firstWaitMs = 400;
const waitLimitMs = 8000;

/**
 * `Retry-After` in milliseconds from now: seconds or an HTTP date; undefined where there is none or it is neither.
 * Source: RFC 9110, 10.2.3.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Za-z]{3},? /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** How long to wait before the try after `attempt` (from 0 on), milliseconds; undefined: trying again is in vain. */
export function retryDelayMs(failure: HyperupError, attempt: number, policy: RetryPolicy): number | undefined {
  if (attempt >= policy.retries || !isTransient(failure)) return undefined;
  const asked = failure.details['retryAfterMs'];
  const backOff = Math.min(firstWaitMs * 2 ** attempt, waitLimitMs);
  // Between half and all of it, so that many clients don't come back at once.
  const jittered = backOff * (0.5 + policy.random() / 2);
  if (typeof asked !== 'number') return jittered;
  return asked > policy.maxWaitMs
    ? undefined
    : Math.max(asked, firstWaitMs * policy.random()) + firstWaitMs * policy.random();
}

/** Runs `work` until it succeeds, fails for good, has had its tries, or with what it isn't to be repeated after. */
export async function withRetries<T>(
  policy: RetryPolicy,
  action: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
  mayRepeat: (error: unknown) => boolean = () => true,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const delayMs =
        failureKindOf(error) === undefined || !mayRepeat(error)
          ? undefined
          : retryDelayMs(error as HyperupError, attempt, policy);
      if (delayMs === undefined) throw error;
      await policy.clock.sleep(delayMs, signal).catch((reason: unknown) => {
        throwIfAborted(signal, action);
        throw reason;
      });
    }
  }
}

/** Failures that may be gone in a moment. A timeout isn't: it has cost its time, and another mirror may serve. */
function isTransient(failure: HyperupError): boolean {
  const kind = failureKindOf(failure);
  const { status, errno } = failure.details;
  if (kind === 'broken' || kind === 'rateLimited') return true;
  if (kind === 'dns') return errno === 'EAI_AGAIN';
  return kind === 'status' && (status === 408 || status === 500 || status === 502 || status === 503 || status === 504);
}
