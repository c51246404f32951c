import { hold, release } from '../../base/block-pool.js';
import type { PartStore } from './part-store.js';
import { makeRangeSet, type Range } from './range-set.js';

/** How much is written by one call, where it comes fast enough: a call costs as much as copying some hundred kilobytes. */
const batchBytes = 1 << 20;
/** A killed process loses no more of what it had written. */
const noteBytes = 1 << 20;

/** Takes bytes in any order and writes them in runs, one call at a time. */
export interface WriteQueue {
  push(position: number, chunk: Buffer): void;
  /** Writes what waits for more to be written with; with `noted`, it is noted down then. */
  flush(noted: boolean): void;
  /** Bytes that were taken and not written yet. */
  readonly waiting: number;
  readonly writtenBytes: number;
  /** Where the run of written bytes that holds `position` ends. */
  writtenTo(position: number): number;
  /** Notes down what was written since the last note. */
  note(): Promise<void>;
  /** Resolves when no note is being written; never rejects. */
  settled(): Promise<void>;
  /** Resolves when all that was pushed is written; rejects with what a write failed with. */
  drain(): Promise<void>;
}

interface Run {
  readonly start: number;
  end: number;
  readonly chunks: Buffer[];
}

/** `onWritten` after each call that was written; `onFailed` once, after which nothing is written any more. */
export function makeWriteQueue(
  store: PartStore,
  onWritten: () => void,
  onFailed: (error: unknown) => void,
): WriteQueue {
  const written = makeRangeSet(store.found);
  let unnoted: Range[] = [];
  let unnotedBytes = 0;
  let isNoting = false;
  let noteAll = false;
  const runs: Run[] = [];
  let waiting = 0;
  let working: Promise<void> | undefined;
  let noting: Promise<void> = Promise.resolve();
  let failed: { readonly error: unknown } | undefined;

  async function work(): Promise<void> {
    for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
      await store.write(run.start, run.chunks);
      for (const chunk of run.chunks) release(chunk);
      waiting -= run.end - run.start;
      written.add(run.start, run.end);
      remember(unnoted, run);
      unnotedBytes += run.end - run.start;
      if ((unnotedBytes >= noteBytes || noteAll) && !isNoting) note().catch(fail);
      onWritten();
    }
  }

  function note(): Promise<void> {
    if (unnoted.length === 0 || failed !== undefined) return noting;
    const ranges = unnoted;
    unnoted = [];
    unnotedBytes = 0;
    noteAll = false;
    isNoting = true;
    noting = noting
      .then(() => store.note(ranges))
      .finally(() => {
        isNoting = false;
      });
    return noting;
  }

  function fail(error: unknown): void {
    if (failed !== undefined) return;
    failed = { error };
    onFailed(error);
  }

  function start(): void {
    if (working !== undefined || failed !== undefined || runs.length === 0) return;
    working = work()
      .catch(fail)
      .finally(() => {
        working = undefined;
        if (runs.length > 0) start();
      });
  }

  return {
    push(position, chunk) {
      hold(chunk);
      waiting += chunk.length;
      const run = runs.find((each) => each.end === position && each.end - each.start < batchBytes);
      if (run === undefined) runs.push({ start: position, end: position + chunk.length, chunks: [chunk] });
      else {
        run.chunks.push(chunk);
        run.end += chunk.length;
      }
      if (waiting >= batchBytes) start();
    },
    flush(noted) {
      noteAll ||= noted && waiting > 0;
      start();
    },
    get waiting() {
      return waiting;
    },
    get writtenBytes() {
      return written.bytes;
    },
    writtenTo: (position) => written.endOfRun(position),
    note,
    settled: () => noting.catch(() => {}),
    async drain() {
      start();
      while (working !== undefined) await working;
      if (failed !== undefined) throw failed.error;
    },
  };
}

/** Adds to the notes' lines, growing the last one where the run goes on from there. */
function remember(ranges: Range[], { start, end }: Range): void {
  const at = ranges.findIndex((range) => range.end === start);
  const before = ranges[at];
  if (before === undefined) ranges.push({ start, end });
  else ranges[at] = { start: before.start, end };
}
