import { makeRangeSet, type Range, type RangeSet } from './range-set.js';

/** What of a running request the choice of work looks at. */
export interface RunningWork {
  readonly position: number;
  readonly end: number;
  readonly whole: boolean;
  readonly rate: number | undefined;
  readonly rival: unknown;
  silentMs(): number;
}

/** What is neither there nor asked for. Pure. */
export function uncovered(claimed: RangeSet, running: readonly RunningWork[], size: number): readonly Range[] {
  if (claimed.bytes === size) return [];
  const covered = makeRangeSet([...claimed.ranges, ...running.map(({ position, end }) => ({ start: position, end }))]);
  return covered.missingIn(0, size);
}

export interface SplitLimits {
  /** Less isn't worth a request, bytes. */
  readonly minSegment: number;
  /** What will be done within that time is left alone. */
  readonly worthMs: number;
}

/** Expected milliseconds until a request is done. */
export function leftMs(work: RunningWork): number {
  if (work.end <= work.position) return 0;
  return work.rate === undefined
    ? Number.POSITIVE_INFINITY
    : ((work.end - work.position) * 1000) / Math.max(work.rate, 1);
}

/**
 * The request that has longest to go is given help: the helper takes the end of its range, shared so that both are done
 * at the same time. `helperRate`, bytes a second, undefined: as fast as the other. Pure.
 */
export function splitLongest<W extends RunningWork>(
  running: readonly W[],
  helperRate: number | undefined,
  { minSegment, worthMs }: SplitLimits,
): { readonly victim: W; readonly at: number } | undefined {
  const victim = longest(
    running.filter(
      (work) => work.rival === undefined && work.rate !== undefined && work.end - work.position >= 2 * minSegment,
    ),
  );
  if (victim === undefined || leftMs(victim) < worthMs) return undefined;
  const left = victim.end - victim.position;
  const rate = victim.rate ?? 0;
  const keeps = helperRate === undefined ? 0.5 : rate / Math.max(rate + helperRate, 1);
  const at = victim.position + Math.min(Math.max(Math.round(left * keeps), minSegment), left - minSegment);
  return { victim, at };
}

/** A request to race for all that it has left: one that will take far longer than a helper would. Pure. */
export function raceSlowest<W extends RunningWork>(
  running: readonly W[],
  helperMs: (work: W) => number | undefined,
  { worthMs, silenceMs }: { readonly worthMs: number; readonly silenceMs: number },
): W | undefined {
  return longest(
    running.filter((work) => {
      if (work.rival !== undefined || work.whole || work.end <= work.position) return false;
      const helper = helperMs(work);
      // One that has not begun isn't known to be slow until it is silent.
      if (helper === undefined || (work.rate === undefined && work.silentMs() < silenceMs)) return false;
      return leftMs(work) > Math.max(worthMs, 2 * helper);
    }),
  );
}

function longest<W extends RunningWork>(running: readonly W[]): W | undefined {
  let found: W | undefined;
  for (const work of running) {
    if (found === undefined) found = work;
    else if (leftMs(work) > leftMs(found)) found = work;
    else if (leftMs(work) === leftMs(found) && work.end - work.position > found.end - found.position) found = work;
  }
  return found;
}
