import { createInflate } from 'node:zlib';
import { HyperupError } from '../../../base/errors.js';
import { makeHeaderDictionary } from './dictionary.js';

/** What one header block may grow to. */
export const maxHeaderBytes = 64 * 1024;
const maxHeaders = 64;

/** Lower-case names; several values of one name are joined by NUL, as they come. */
export type StreamHeaders = ReadonlyMap<string, string>;

export interface HeaderReader {
  /** Inflates the next block of the connection; one at a time. Rejects with `ApiFailed`, after which it is of no use. */
  read(block: Buffer): Promise<StreamHeaders>;
  close(): void;
}

/** Reads header blocks in the order of their arrival: all of a connection's are one zlib stream. */
export function makeHeaderReader(): HeaderReader {
  const inflate = createInflate({ dictionary: makeHeaderDictionary(), chunkSize: 4096 });
  let parts: Buffer[] = [];
  let size = 0;
  let failed: Error | undefined;
  let settle: ((error: Error | undefined) => void) | undefined;
  const done = (error: Error | undefined) => {
    failed ??= error;
    settle?.(failed);
    settle = undefined;
  };
  inflate.on('data', (part: Buffer) => {
    size += part.length;
    if (size <= maxHeaderBytes) parts.push(part);
    else inflate.destroy(fault(`more than ${maxHeaderBytes} bytes`));
  });
  inflate.on('error', done);
  // A stream that says that it ended, or that was closed, has no further block.
  inflate.on('end', () => done(fault('the end of the compressed stream')));
  inflate.on('close', () => done(fault('a closed reader')));
  return {
    async read(block) {
      parts = [];
      size = 0;
      await new Promise<void>((resolve, reject) => {
        settle = (error) => (error === undefined ? resolve() : reject(error));
        if (failed !== undefined) done(failed);
        else inflate.write(block, (error) => done(error ?? undefined));
      });
      return parseHeaders(Buffer.concat(parts));
    },
    close: () => void inflate.destroy(),
  };
}

/** Names and values of an inflated block. Throws `ApiFailed` for lengths that don't fit. Pure. */
export function parseHeaders(bytes: Buffer): StreamHeaders {
  let at = 0;
  const number = () => {
    if (at + 4 > bytes.length) throw fault('a cut header block');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = () => {
    const length = number();
    if (at + length > bytes.length) throw fault('a cut header block');
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const headers = new Map<string, string>();
  const count = number();
  if (count > maxHeaders) throw fault(`${count} headers, want at most ${maxHeaders}`);
  for (let index = 0; index < count; index++) headers.set(text().toLowerCase(), text());
  return headers;
}

/**
 * Header blocks without headers, all that a server sends. Stored instead of deflated (RFC 1951, 3.2.4): they are part of
 * one zlib stream nonetheless, and cost neither memory nor time. The empty block after each makes the reader hand out
 * what it has, as a sync flush does.
 */
export function makeEmptyBlockWriter(): () => Buffer {
  let started = false;
  const block = Buffer.from('000400fbff00000000' + '000000ffff', 'hex');
  // zlib's head with the dictionary's Adler-32 (RFC 1950, 2.2).
  const head = Buffer.from('78bb' + 'e3c6a7c2', 'hex');
  return () => {
    const bytes = started ? block : Buffer.concat([head, block]);
    started = true;
    return bytes;
  };
}

function fault(what: string): HyperupError {
  return new HyperupError('ApiFailed', `read SPDY headers: got ${what}`);
}
