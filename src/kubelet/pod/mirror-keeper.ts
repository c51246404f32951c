import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { MirrorPods } from './mirror-pods.js';
import type { PodManager } from './pod-manager.js';
import { isStaticPod, podUidOf } from './pod-names.js';

export interface MirrorKeeperOptions {
  readonly mirrors: MirrorPods;
  readonly manager: PodManager;
  readonly clock: Clock;
  readonly logger: Logger;
  /** All static pods and all mirrors are known, and there is a server to tell. */
  readonly isReady: () => boolean;
}

export interface MirrorKeeper {
  start(): void;
  stop(): Promise<void>;
  /** Something about static pods or mirrors has changed. */
  wake(): void;
}

const minRetryMs = 200;
const maxRetryMs = 10_000;
const idleMs = 60_000;

/** Keeps a mirror of each static pod in the API, and none of any other; what fails is tried again with growing waits. */
export function createMirrorKeeper(options: MirrorKeeperOptions): MirrorKeeper {
  const { mirrors, manager, clock, logger } = options;
  const controller = new AbortController();
  let early = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  /** True where all is as it should be. */
  async function keep(): Promise<boolean> {
    if (!options.isReady()) return false;
    const results = await Promise.allSettled([
      ...manager
        .all()
        .filter(isStaticPod)
        .map((pod) => mirrors.ensureMirror(pod, manager.mirrorOf(podUidOf(pod)))),
      ...manager.orphanMirrors().map((mirror) => mirrors.deleteMirror(mirror)),
    ]);
    const failures = results.filter((result) => result.status === 'rejected');
    for (const { reason } of failures) logger.debug('Mirror pod not as it should be', { err: messageOf(reason) });
    return failures.length === 0;
  }

  async function run(): Promise<void> {
    let waitMs = minRetryMs;
    while (!controller.signal.aborted) {
      early = new AbortController();
      const isDone = await keep();
      const signal = AbortSignal.any([controller.signal, early.signal]);
      await clock.sleep(isDone ? idleMs : waitMs, signal).catch(() => {});
      waitMs = isDone || early.signal.aborted ? minRetryMs : Math.min(waitMs * 2, maxRetryMs);
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
    wake: () => early.abort(),
  };
}
