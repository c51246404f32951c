import type { Range } from './range-set.js';

/** Whose notes they are: a part file is worth nothing for another blob. */
export interface PartIdentity {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

const format = 'hyperup-part 1';

/**
 * The notes of a part file: a head line, then a line `START END` for each range that was written before its line was.
 * They are only appended to, so that a process that is killed leaves at worst a torn last line.
 */
export function makeNotesHead(identity: PartIdentity): string {
  return `${format} ${identity.digest} ${identity.size}\n`;
}

export function makeNoteLines(ranges: readonly Range[]): string {
  return ranges.map(({ start, end }) => `${start} ${end}\n`).join('');
}

/** The ranges that notes claim; undefined where they are another blob's or no notes. A torn last line is left out. */
export function parseNotes(text: string, identity: PartIdentity): readonly Range[] | undefined {
  const lines = text.split('\n');
  // What follows the last line end is torn, or empty.
  lines.pop();
  if (`${lines.shift() ?? ''}\n` !== makeNotesHead(identity)) return undefined;
  const ranges: Range[] = [];
  for (const line of lines) {
    const match = /^(\d{1,16}) (\d{1,16})$/.exec(line);
    const start = Number(match?.[1] ?? Number.NaN);
    const end = Number(match?.[2] ?? Number.NaN);
    if (!(start < end && end <= identity.size)) return undefined;
    ranges.push({ start, end });
  }
  return ranges;
}
