import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { HyperupError } from '../../base/errors.js';
import {
  blockSize,
  maxExtendedBytes,
  parseLongName,
  parsePaxRecords,
  parsePaxSize,
  parseTarHeader,
  type RawTarHeader,
} from './tar-header.js';

/** Enough for any set of images; a tar of more is no archive of images. */
const maxMembers = 100_000;
const maxLinks = 16;
/** Read at once while headers are looked for. */
const windowBytes = 64 * 1024;

/** A file in a tar: where its bytes are. */
export interface TarFile {
  readonly path: string;
  /** Bytes from the tar's beginning. */
  readonly offset: number;
  readonly size: number;
}

/** A tar's files by path, links followed within it. */
export interface TarIndex {
  /** Undefined where there is none. `InvalidConfig` where a link leads in a circle or to nothing. */
  find(path: string): TarFile | undefined;
}

interface TarLink {
  readonly path: string;
  readonly target: string;
}

/**
 * Reads a tar's headers, not its contents. Refuses with `InvalidConfig`, naming archive and member, whatever could mean
 * two things or reach outside: wrong checksums, a missing end, sizes beyond the file, paths or links that are absolute
 * or leave the archive, two members of one path, devices, sparse files.
 */
export async function indexTar(file: FileHandle, fileSize: number, name: string): Promise<TarIndex> {
  const entries = new Map<string, TarFile | TarLink>();
  const read = makeWindow(file, fileSize);
  const pending: { path?: string | undefined; linkPath?: string | undefined; size?: number | undefined } = {};
  let at = 0;
  for (;;) {
    const action = `read ${name} at byte ${at}`;
    const block = await read(at, blockSize);
    if (block.length < blockSize) throw fault(action, 'the archive is cut off: it has no end mark');
    const header = parseTarHeader(block, action);
    if (!header) break;
    const isExtension = 'xgLK'.includes(header.flag);
    const size = isExtension ? header.size : (pending.size ?? header.size);
    const start = at + blockSize;
    const content = contentSize(header, size);
    const end = start + content;
    if (!Number.isSafeInteger(end) || end > fileSize) {
      const shown = pending.path ?? header.path;
      throw fault(action, `the archive is cut off: member "${printable(shown)}" claims ${content} bytes`);
    }
    at = start + Math.ceil(content / blockSize) * blockSize;
    if (isExtension) {
      if (content > maxExtendedBytes) throw fault(action, `an extended header has ${content} bytes`);
      Object.assign(pending, extension(header.flag, await read(start, content), action));
      continue;
    }
    const { path = header.path, linkPath = header.linkPath } = pending;
    const entry = memberOf({ ...header, path, linkPath }, start, content, name);
    delete pending.path;
    delete pending.linkPath;
    delete pending.size;
    if (!entry) continue;
    if (entries.has(entry.path)) throw fault(`read ${name}`, `it has two members "${printable(entry.path)}"`);
    if (entries.size >= maxMembers) throw fault(`read ${name}`, `it has more than ${maxMembers} members`);
    entries.set(entry.path, entry);
  }
  return { find: (path) => follow(entries, path, name) };
}

/** Folders and links have no content, whatever their header says. */
function contentSize(header: RawTarHeader, size: number): number {
  return '125'.includes(header.flag) ? 0 : size;
}

function extension(flag: string, data: Buffer, action: string): { path?: string; linkPath?: string; size?: number } {
  if (flag === 'L') return { path: parseLongName(data, action) };
  if (flag === 'K') return { linkPath: parseLongName(data, action) };
  const records = parsePaxRecords(data, action);
  const found: { path?: string; linkPath?: string; size?: number } = {};
  for (const [key, value] of records) {
    if (key.startsWith('GNU.sparse.')) throw fault(action, 'the archive has a sparse member');
    // A global header that renames every member can only be a trick.
    if (flag === 'g' && ['path', 'linkpath', 'size'].includes(key)) {
      throw fault(action, `the archive has a global header that sets "${key}"`);
    }
    if (key === 'path') found.path = value;
    if (key === 'linkpath') found.linkPath = value;
    if (key === 'size') found.size = parsePaxSize(value, action);
  }
  return found;
}

/** Undefined for folders. */
function memberOf(header: RawTarHeader, offset: number, size: number, name: string): TarFile | TarLink | undefined {
  const action = `read ${name}: member "${printable(header.path)}"`;
  const isFolder = header.flag === '5' || (header.flag === '0' && header.path.endsWith('/'));
  const path = inside(header.path, action, 'its path', isFolder);
  if (isFolder) return undefined;
  switch (header.flag) {
    case '0':
    case '7':
      return { path, offset, size };
    case '1':
      return { path, target: inside(header.linkPath, action, 'its link', false) };
    case '2': {
      if (header.linkPath.startsWith('/')) throw fault(action, `its link "${printable(header.linkPath)}" is absolute`);
      const target = posix.join(posix.dirname(path), header.linkPath);
      return { path, target: inside(target, action, 'its link', false) };
    }
    case 'S':
      throw fault(action, 'it is a sparse file');
    default:
      throw fault(action, `it is of type "${printable(header.flag)}", want a file, folder or link`);
  }
}

/** The path without `./` and doubled slashes. */
function inside(path: string, action: string, what: string, mayBeRoot: boolean): string {
  if (path === '' || path.includes('\0')) throw fault(action, `${what} is empty or has a zero byte`);
  if (path.startsWith('/')) throw fault(action, `${what} "${printable(path)}" is absolute`);
  if (path.split('/').includes('..')) throw fault(action, `${what} "${printable(path)}" leads out of the archive`);
  const clean = posix.normalize(path).replace(/\/$/, '');
  if (clean === '.' && !mayBeRoot) throw fault(action, `${what} "${printable(path)}" names no file`);
  return clean;
}

function follow(entries: ReadonlyMap<string, TarFile | TarLink>, path: string, name: string): TarFile | undefined {
  let at = path;
  for (let links = 0; links <= maxLinks; links += 1) {
    const entry = entries.get(at);
    if (!entry) {
      if (links === 0) return undefined;
      throw fault(
        `read ${name}: member "${printable(path)}"`,
        `its link leads to "${printable(at)}", which is not there`,
      );
    }
    if ('offset' in entry) return entry;
    at = entry.target;
  }
  throw fault(`read ${name}: member "${printable(path)}"`, 'its links lead in a circle');
}

/** Reads through a window, so that small members cost one read together. Gives less only at the file's end. */
function makeWindow(file: FileHandle, fileSize: number) {
  let start = 0;
  let window = Buffer.alloc(0);
  return async (at: number, length: number): Promise<Buffer> => {
    if (at < start || at + length > start + window.length) {
      const want = Math.max(0, Math.min(Math.max(length, windowBytes), fileSize - at));
      const buffer = Buffer.alloc(want);
      let got = 0;
      while (got < want) {
        const { bytesRead } = await file.read(buffer, got, want - got, at + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      start = at;
      window = buffer.subarray(0, got);
    }
    return window.subarray(at - start, at - start + length);
  };
}

function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?');
  return clean.length > 120 ? `${clean.slice(0, 120)}…` : clean;
}

function fault(action: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', `${action}: ${reason}`, {
    hint: 'The archive is damaged, or was not made by a tool for images: make or copy it again.',
  });
}
