import * as z from 'zod';
import { HyperupError } from '../base/errors.js';
import type { HostChange, JournalEntry } from './journal-types.js';

const text = z.string();
const optionalText = z.string().optional();

const changeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('directory'), path: text, owned: z.boolean(), kept: z.boolean().optional() }),
  z.object({ kind: z.literal('contents'), path: text, existing: z.array(text) }),
  z.object({ kind: z.literal('file'), path: text, backup: optionalText }),
  z.object({ kind: z.literal('sharedMount'), path: text }),
  z.object({ kind: z.literal('sysctl'), key: text, previous: text, value: text }),
  z.object({ kind: z.literal('route'), destination: text, link: text, source: text }),
  z.object({ kind: z.literal('container'), name: text, labels: z.record(text, text) }),
  z.object({ kind: z.literal('imageTag'), reference: text, previousId: optionalText, pulledAs: optionalText }),
  z.object({
    kind: z.literal('kubeconfig'),
    path: text,
    entry: text,
    previousContext: optionalText,
    created: z.boolean(),
  }),
  z.object({ kind: z.literal('netfilter'), existingChains: z.array(text) }),
  z.object({ kind: z.literal('pods'), kubeletDir: text, nodeName: text }),
]);

const headerSchema = z.object({ journal: z.number(), madeDirs: z.array(text) });
const entrySchema = z.object({ id: z.number().int(), time: text, change: changeSchema });
const undoneSchema = z.object({ undone: z.number().int() });

/** The format that this version writes, and the newest that it reads. */
export const journalFormat = 1;

/** Where a line lies in a journal's file, in bytes, without its newline. */
export interface LinePlace {
  readonly offset: number;
  readonly length: number;
}

/** What a journal file says: the changes that still stand, in the order they were made. */
export interface JournalContent {
  readonly entries: readonly JournalEntry[];
  /** The id that the next entry gets. */
  readonly nextId: number;
  /** Folders that were made for the journal itself, outermost first. */
  readonly madeDirs: readonly string[];
  /** How much of the file is sound, in bytes; what follows is a line that was cut short. */
  readonly soundBytes: number;
  /** False where the last line is whole but for its newline. */
  readonly endsWithNewline: boolean;
  /** The lines that announce a change, by its id. */
  readonly places: ReadonlyMap<number, LinePlace>;
}

/** `{"journal":1,…}`: the first line, with the folders that were made to hold the journal. */
export function makeHeaderLine(madeDirs: readonly string[]): string {
  return `${JSON.stringify({ journal: journalFormat, madeDirs })}\n`;
}

/** One change as a line. */
export function makeEntryLine(entry: JournalEntry): string {
  return `${JSON.stringify(entry)}\n`;
}

/** The line that says that an entry was undone. */
export function makeUndoneLine(id: number): string {
  return `${JSON.stringify({ undone: id })}\n`;
}

/** The same in the room of the entry's own line: blanks at a value's end mean nothing (RFC 8259, section 2). */
export function makeUndoneInPlace(id: number, length: number): string {
  return JSON.stringify({ undone: id }).padEnd(length);
}

/**
 * Reads a journal. A last line that makes no sense is one that power loss or kill -9 cut short: the change it
 * announces was never made, as each line is flushed first, so it is dropped. Nonsense anywhere else throws
 * `Conflict`, as does a file of a newer format: undoing by half a journal would leave the machine half undone.
 */
export function parseJournal(data: Buffer, path: string): JournalContent {
  const live = new Map<number, JournalEntry>();
  const places = new Map<number, LinePlace>();
  let madeDirs: readonly string[] = [];
  let nextId = 1;
  let offset = 0;
  for (let line = 1; offset < data.length; line += 1) {
    const newline = data.indexOf(0x0a, offset);
    const end = newline === -1 ? data.length : newline;
    const parsed = parseLine(data.toString('utf8', offset, end));
    if (parsed === undefined) {
      if (newline !== -1 && newline < data.length - 1) throw corrupt(path, line);
      return { entries: [...live.values()], nextId, madeDirs, places, soundBytes: offset, endsWithNewline: true };
    }
    if ('journal' in parsed) {
      if (parsed.journal > journalFormat) throw tooNew(path, parsed.journal);
      madeDirs = parsed.madeDirs;
    } else if ('undone' in parsed) {
      live.delete(parsed.undone);
      nextId = Math.max(nextId, parsed.undone + 1);
    } else {
      live.set(parsed.id, parsed as JournalEntry);
      places.set(parsed.id, { offset, length: end - offset });
      nextId = Math.max(nextId, parsed.id + 1);
    }
    offset = newline === -1 ? data.length : newline + 1;
  }
  const endsWithNewline = data.length === 0 || data[data.length - 1] === 0x0a;
  return { entries: [...live.values()], nextId, madeDirs, places, soundBytes: data.length, endsWithNewline };
}

type Line = z.infer<typeof headerSchema> | z.infer<typeof undoneSchema> | { id: number; time: string; change: unknown };

function parseLine(line: string): Line | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  for (const schema of [entrySchema, undoneSchema, headerSchema]) {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
  }
  return undefined;
}

/** Two changes to the same thing, whatever the values: what a second run would otherwise journal again. */
export function isSameChange(a: HostChange, b: HostChange): boolean {
  return a.kind === b.kind && subjectOf(a) === subjectOf(b);
}

/** What a change is about: the path, key, name or reference. */
export function subjectOf(change: HostChange): string {
  switch (change.kind) {
    case 'directory':
    case 'contents':
    case 'file':
    case 'sharedMount':
      return change.path;
    case 'sysctl':
      return change.key;
    case 'route':
      return change.destination;
    case 'container':
      return change.name;
    case 'imageTag':
      return change.reference;
    case 'kubeconfig':
      return `${change.path}#${change.entry}`;
    case 'netfilter':
      return 'netfilter';
    case 'pods':
      return change.kubeletDir;
  }
}

function corrupt(path: string, line: number): HyperupError {
  return new HyperupError('Conflict', `read ${path}: line ${line} is no journal entry, and more lines follow it`, {
    hint: 'The journal was edited or damaged. Repair or remove that line, then run the command again.',
    details: { path, line },
  });
}

function tooNew(path: string, format: number): HyperupError {
  return new HyperupError(
    'Conflict',
    `read ${path}: got journal format ${format}, this version reads up to ${journalFormat}`,
    {
      hint: 'Run the newer hyperup that wrote it.',
      details: { path, format },
    },
  );
}
