import type { Clock } from '../../base/clock.js';
import { messageOf, throwIfAborted } from '../../base/errors.js';
import type { ImageWait, PodKey } from './pod-waits.js';

/** What came of one attempt to get an image. */
export type BringOutcome =
  | { readonly ok: true; readonly from: string; readonly changed: boolean; readonly sizeBytes: number }
  /** `reasons`: a line a source. */
  | { readonly ok: false; readonly message: string; readonly reasons: readonly string[] };

export interface DeskOptions {
  /** Gets an image into the engine under its own name. What it rejects with counts as a failure. */
  readonly bring: (reference: string, signal: AbortSignal) => Promise<BringOutcome>;
  /** An image that these pods wait for is there. Never rejects. */
  readonly onArrival: (reference: string, pods: readonly PodKey[]) => Promise<void>;
  /** Attempts that are worth telling: the first, arrivals that changed something, and where failures begin. */
  readonly onOutcome: (reference: string, outcome: BringOutcome, pods: readonly PodKey[]) => void;
  /** A wait that no image can end; once a container of a pod. */
  readonly onRefusal: (pod: PodKey, wait: ImageWait) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** From 0 to 1; spreads attempts. */
  readonly random?: (() => number) | undefined;
  /** Images at once. Default 3. */
  readonly concurrency?: number | undefined;
}

/** Takes in what pods wait for and gets it: one fetch an image however many pods want it, again with back-off. */
export interface ImageDesk {
  /** What a pod waits for now; nothing where it goes on. */
  see(pod: PodKey, waits: readonly ImageWait[]): void;
  /** A pod is gone. */
  forget(uid: string): void;
  /** Pods that were seen waiting, by uid. */
  known(): readonly string[];
  /** Resolves once every image that is wanted was tried. Rejects with `Aborted`. */
  tried(): Promise<void>;
  /** Resolves when nothing is under way any more, after the signal has fired. */
  ended(): Promise<void>;
}

/** As the kubelet's own back-off for pulls. */
const firstWaitMs = 10_000;
const longestWaitMs = 300_000;
/** How long a failure is remembered that nobody asks about. */
const memoryMs = 2 * longestWaitMs;

interface Want {
  readonly reference: string;
  readonly pods: Map<string, PodKey>;
  attempts: number;
  nextMs: number;
  failed: boolean;
  busy: Promise<void> | undefined;
}

/** See `ImageDesk`. Begins nothing until something is seen, and no more than `concurrency` fetches at once. */
export function makeImageDesk(options: DeskOptions): ImageDesk {
  const { bring, onArrival, onOutcome, onRefusal, clock, signal, random = Math.random, concurrency = 3 } = options;
  const wants = new Map<string, Want>();
  /** What was told of each pod that ever waited. */
  const told = new Map<string, Set<string>>();
  const queue: (() => void)[] = [];
  const watchers = new Set<() => void>();
  let free = concurrency;

  async function serve(want: Want): Promise<void> {
    while (!signal.aborted) {
      const waitMs = want.nextMs - clock.monotonicMs();
      if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => {});
      if (signal.aborted || want.pods.size === 0) break;
      await attempt(want);
      for (const look of watchers) look();
    }
    want.busy = undefined;
    if (!want.failed) wants.delete(want.reference);
    for (const look of watchers) look();
  }

  async function attempt(want: Want): Promise<void> {
    if (free === 0) await new Promise<void>((resolve) => void queue.push(resolve));
    else free -= 1;
    try {
      if (signal.aborted) return;
      const outcome = await bring(want.reference, signal).catch(failed);
      if (signal.aborted) return;
      const pods = [...want.pods.values()];
      const isNews = want.attempts === 0 || (outcome.ok ? outcome.changed || want.failed : !want.failed);
      want.failed = !outcome.ok;
      if (outcome.ok && outcome.changed) want.attempts = 0;
      if (isNews) onOutcome(want.reference, outcome, pods);
      if (outcome.ok) await onArrival(want.reference, pods);
    } finally {
      const base = Math.min(firstWaitMs * 2 ** want.attempts, longestWaitMs);
      want.attempts += 1;
      want.nextMs = clock.monotonicMs() + Math.round(base * (1 + random() / 2));
      const next = queue.shift();
      if (next) next();
      else free += 1;
    }
  }

  function wantFor(reference: string): Want {
    const now = clock.monotonicMs();
    for (const [name, { busy, pods, nextMs }] of wants) {
      if (!busy && pods.size === 0 && now - nextMs > memoryMs) wants.delete(name);
    }
    const want = wants.get(reference) ?? {
      reference,
      pods: new Map(),
      attempts: 0,
      nextMs: now,
      failed: false,
      busy: undefined,
    };
    wants.set(reference, want);
    return want;
  }

  function leave(uid: string, stays: ReadonlySet<string>): void {
    for (const { reference, pods } of wants.values()) if (!stays.has(reference)) pods.delete(uid);
  }

  return {
    see(pod, waits) {
      if (signal.aborted) return;
      leave(pod.uid, new Set(waits.map(({ reference }) => reference)));
      if (waits.length === 0) return;
      const said = told.get(pod.uid) ?? new Set();
      told.set(pod.uid, said);
      for (const wait of waits) {
        if (wait.remedy === 'fetch') {
          const want = wantFor(wait.reference);
          want.pods.set(pod.uid, pod);
          want.busy ??= serve(want);
          continue;
        }
        const key = `${wait.container} ${wait.reference}`;
        if (!said.has(key)) onRefusal(pod, wait);
        said.add(key);
      }
    },
    forget(uid) {
      leave(uid, new Set());
      told.delete(uid);
    },
    known: () => [...told.keys()],
    tried: () =>
      new Promise((resolve, reject) => {
        const look = () => {
          try {
            throwIfAborted(signal, 'get images of pods');
          } catch (error) {
            reject(error);
            return;
          }
          if ([...wants.values()].some(({ pods, attempts }) => attempts === 0 && pods.size > 0)) return;
          watchers.delete(look);
          signal.removeEventListener('abort', look);
          resolve();
        };
        watchers.add(look);
        signal.addEventListener('abort', look);
        look();
      }),
    ended: async () => {
      for (const next of queue.splice(0)) next();
      await Promise.all([...wants.values()].map(({ busy }) => busy));
    },
  };
}

function failed(error: unknown): BringOutcome {
  return { ok: false, message: messageOf(error), reasons: [] };
}
