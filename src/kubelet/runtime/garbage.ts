import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { type ContainerGarbageOptions, collectContainers } from './container-garbage.js';
import { createImageGarbage, type ImageGarbageOptions } from './image-garbage.js';

export interface GarbageCollectorOptions extends ContainerGarbageOptions, ImageGarbageOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface GarbageCollector {
  start(): void;
  stop(): Promise<void>;
  /** One round now; rejects with what it couldn't do. */
  collectContainers(): Promise<void>;
  /** One round now: nothing unless the disk is full. Rejects where too little could be freed. */
  collectImages(): Promise<void>;
}

const containerPeriodMs = 60_000;
const imagePeriodMs = 300_000;

/**
 * Removes dead containers and sandboxes each minute and unused images each five (v1.20 `kubelet.go`
 * `StartGarbageCollection`). A failed round is logged; the second failure of images in a row is an event.
 */
export function createGarbageCollector(options: GarbageCollectorOptions): GarbageCollector {
  const { clock, logger, events } = options;
  const images = createImageGarbage(options, clock, logger);
  const stopping = new AbortController();
  let loops: readonly Promise<void>[] = [];

  const every = async (periodMs: number, round: () => Promise<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(periodMs, stopping.signal).catch(() => {});
      if (!stopping.signal.aborted) await round();
    }
  };
  const containerRound = async () => {
    try {
      await collectContainers(options);
    } catch (error) {
      logger.warn('Could not remove all dead containers', { err: messageOf(error) });
    }
  };
  let failedBefore = false;
  const imageRound = async () => {
    try {
      await images.collect();
      failedBefore = false;
    } catch (error) {
      logger.warn('Could not remove enough unused images', { err: messageOf(error) });
      // The first round may simply have come too early.
      if (failedBefore) events.node('Warning', 'ImageGCFailed', messageOf(error));
      failedBefore = true;
    }
  };
  return {
    start() {
      if (loops.length > 0) return;
      // Images that are here already count as old from the start.
      const detect = images.detect().catch((error: unknown) => {
        logger.debug('Could not list images', { err: messageOf(error) });
      });
      loops = [every(containerPeriodMs, containerRound), detect.then(() => every(imagePeriodMs, imageRound))];
    },
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
    collectContainers: () => collectContainers(options),
    collectImages: images.collect,
  };
}
