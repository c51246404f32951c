/** Bytes from `start` up to, without, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Places of a blob, kept as few ranges in order. Overlapping and touching ones become one. */
export interface RangeSet {
  add(start: number, end: number): void;
  /** What of a range isn't in the set, in order. */
  missingIn(start: number, end: number): readonly Range[];
  /** Where the run that holds `position` ends; `position` itself where it isn't in the set. */
  endOfRun(position: number): number;
  /** How many bytes it holds. */
  readonly bytes: number;
  readonly ranges: readonly Range[];
}

export function makeRangeSet(initial: readonly Range[] = []): RangeSet {
  const ranges: Range[] = [];
  let bytes = 0;
  const set: RangeSet = {
    add(start, end) {
      if (end <= start) return;
      // The usual case: a stream goes on where it was.
      const from = ranges.findIndex((range) => range.end >= start);
      if (from < 0) {
        ranges.push({ start, end });
        bytes += end - start;
        return;
      }
      let to = from;
      let low = start;
      let high = end;
      let held = 0;
      for (let range = ranges[to]; range !== undefined && range.start <= end; range = ranges[to]) {
        low = Math.min(low, range.start);
        high = Math.max(high, range.end);
        held += range.end - range.start;
        to += 1;
      }
      ranges.splice(from, to - from, { start: low, end: high });
      bytes += high - low - held;
    },
    missingIn(start, end) {
      const missing: Range[] = [];
      let at = start;
      for (const range of ranges) {
        if (range.end <= at) continue;
        if (range.start >= end || at >= end) break;
        if (range.start > at) missing.push({ start: at, end: range.start });
        at = range.end;
      }
      if (at < end) missing.push({ start: at, end });
      return missing;
    },
    endOfRun: (position) => ranges.find((range) => range.start <= position && position < range.end)?.end ?? position,
    get bytes() {
      return bytes;
    },
    get ranges() {
      return [...ranges];
    },
  };
  for (const { start, end } of initial) set.add(start, end);
  return set;
}
