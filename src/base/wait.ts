import type { Clock } from './clock.js';
import { HyperupError, messageOf, throwIfAborted } from './errors.js';

export type Probe<T> = { readonly done: true; readonly value: T } | { readonly done: false; readonly reason: string };

export interface WaitOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called when the reason for waiting changes; feeds the "waiting for …" line on screen. */
  readonly onWait?: (reason: string) => void;
}

/**
 * Calls `probe` until it is done. A throw from the probe counts as "not yet", with its message as the reason,
 * unless it is `Aborted` or `Unhealthy`, which end the wait. Throws `Timeout` naming what was awaited and the last reason; a wait never ends quietly.
 */
export async function waitFor<T>(what: string, probe: () => Promise<Probe<T>>, options: WaitOptions): Promise<T> {
  const { clock, timeoutMs, intervalMs = 200, signal, onWait } = options;
  const deadline = clock.monotonicMs() + timeoutMs;
  let last = '';
  for (;;) {
    throwIfAborted(signal, `wait for ${what}`);
    let reason: string;
    try {
      const result = await probe();
      if (result.done) return result.value;
      reason = result.reason;
    } catch (error) {
      if (error instanceof HyperupError && (error.code === 'Aborted' || error.code === 'Unhealthy')) throw error;
      reason = messageOf(error);
    }
    if (reason !== last) onWait?.(reason);
    last = reason;
    const left = deadline - clock.monotonicMs();
    if (left <= 0) {
      throw new HyperupError(
        'Timeout',
        `wait for ${what}: not there after ${Math.round(timeoutMs / 1000)} s: ${last}`,
        {
          details: { what, timeoutMs, reason: last },
        },
      );
    }
    try {
      await clock.sleep(Math.min(intervalMs, left), signal);
    } catch {
      throwIfAborted(signal, `wait for ${what}`);
    }
  }
}
