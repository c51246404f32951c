import { HyperupError } from '../../base/errors.js';

/** Tar's unit: headers are one block, contents are padded to full ones. */
export const blockSize = 512;
/** Long names and extended headers are read whole. */
export const maxExtendedBytes = 1024 * 1024;

/** A header block as it stands, before extended headers are applied. */
export interface RawTarHeader {
  /** ustar's prefix put before it. */
  readonly path: string;
  readonly linkPath: string;
  /** Bytes of content that follow. */
  readonly size: number;
  /** The type flag as its character; `0` where it is NUL. */
  readonly flag: string;
}

const checksumStart = 148;
const checksumEnd = 156;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads one block: undefined where it is all zero (the archive's end). `InvalidConfig` beginning with `action` where
 * the checksum or a number in it is wrong. Formats: v7, ustar, PAX, GNU (POSIX.1-2017 `pax`, GNU tar's manual).
 */
export function parseTarHeader(block: Buffer, action: string): RawTarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const want = number(block, checksumStart, 8);
  let sum = 0;
  for (let at = 0; at < blockSize; at += 1) {
    sum += at >= checksumStart && at < checksumEnd ? 0x20 : (block[at] ?? 0);
  }
  if (want !== sum) throw fault(action, 'the tar header has a wrong checksum');
  const size = number(block, 124, 12);
  if (size === undefined) throw fault(action, 'the tar header has no valid size');
  const flag = block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0);
  const name = text(block, 0, 100, action);
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? text(block, 345, 155, action) : '';
  return { path: prefix === '' ? name : `${prefix}/${name}`, linkPath: text(block, 157, 100, action), size, flag };
}

/** A PAX extended header's records, the last of a key counting. `InvalidConfig` where they are malformed. */
export function parsePaxRecords(data: Buffer, action: string): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const digits = space < 0 || space - at > 8 ? '' : data.toString('latin1', at, space);
    const length = /^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length <= digits.length + 2 || end > data.length || data[end - 1] !== 0x0a) {
      throw fault(action, 'the tar has a malformed extended header');
    }
    const record = decode(data.subarray(space + 1, end - 1), action);
    const equals = record.indexOf('=');
    if (equals < 1) throw fault(action, 'the tar has a malformed extended header');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** A decimal size of a PAX record. */
export function parsePaxSize(value: string, action: string): number {
  const size = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw fault(action, 'the tar has an extended header with no valid size');
  return size;
}

/** A GNU long name: text up to the first NUL. */
export function parseLongName(data: Buffer, action: string): string {
  const end = data.indexOf(0);
  return decode(end < 0 ? data : data.subarray(0, end), action);
}

/**
 * A header that is the same for the same name and size: root's, mode 0644, no time. A name over 100 bytes gets an
 * extended header before it. Sizes above 8 GiB are written in base 256 as GNU tar does.
 */
export function makeTarHeader(path: string, size: number): Buffer {
  if (Buffer.byteLength(path) <= 100) return makeBlock(path, size, '0');
  const body = ` path=${path}\n`;
  // The length counts its own digits.
  let length = Buffer.byteLength(body);
  while (length !== Buffer.byteLength(`${length}${body}`)) length = Buffer.byteLength(`${length}${body}`);
  const record = Buffer.from(`${length}${body}`);
  const short = path.slice(-100);
  return Buffer.concat([makeBlock('pax', record.length, 'x'), record, tarPadding(length), makeBlock(short, size, '0')]);
}

function makeBlock(path: string, size: number, flag: string): Buffer {
  const block = Buffer.alloc(blockSize);
  block.write(path, 0, 'utf8');
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  if (size <= 0o77777777777) block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  block.write('00000000000\0', 136);
  block.write('        ', checksumStart);
  block.write(flag, 156);
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, checksumStart, 'latin1');
  return block;
}

/** Zero bytes that fill a content's last block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/** The archive's end. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * blockSize);
}

/** Octal, ended by NUL or blank, or GNU's base 256; undefined where it is neither or not exact. */
function number(block: Buffer, at: number, length: number): number | undefined {
  const field = block.subarray(at, at + length);
  const first = field[0] ?? 0;
  if (first === 0x80) {
    let value = 0n;
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
  }
  const digits = /^ *([0-7]*)[ \0]*$/.exec(field.toString('latin1'))?.[1];
  return digits === undefined ? undefined : digits === '' ? 0 : Number.parseInt(digits, 8);
}

function text(block: Buffer, at: number, length: number, action: string): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return decode(end < 0 ? field : field.subarray(0, end), action);
}

function decode(bytes: Buffer, action: string): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new HyperupError('InvalidConfig', `${action}: the tar has a name that is not UTF-8`, { cause: error });
  }
}

function fault(action: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', `${action}: ${reason}`);
}
