import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { ContainerEvent } from '../../docker/runtime-types.js';
import { createBackoff } from '../../kube/backoff.js';

export interface FollowEventsOptions {
  readonly events: (signal: AbortSignal) => AsyncIterable<ContainerEvent>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: ContainerEvent) => void;
  /** The stream broke off: events from now until the next one are lost. */
  readonly onBreak: () => void;
}

/** Follows the engine's events until the signal fires, connecting anew with growing waits. Never rejects. */
export async function followEvents(options: FollowEventsOptions): Promise<void> {
  const { clock, signal, logger } = options;
  const backoff = createBackoff({ initialMs: 200, maxMs: 10_000, random: options.random });
  while (!signal.aborted) {
    try {
      for await (const event of options.events(signal)) {
        backoff.reset();
        if (signal.aborted) return;
        options.onEvent(event);
      }
    } catch (error) {
      if (!signal.aborted) logger.debug("The engine's events broke off", { err: messageOf(error) });
    }
    if (!signal.aborted) options.onBreak();
    if (!signal.aborted) await clock.sleep(backoff.nextMs(), signal).catch(() => {});
  }
}
