import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.js';
import { fileError } from '../../base/files.js';
import type { ContainerLogRequest } from './log-options.js';
import { parseLogRecord } from './log-record.js';
import { findTailOffset } from './log-tail.js';

const blockBytes = 64 * 1024;
/** A record takes at most some 100 KiB; a longer line is no record and is skipped. */
const maxLineBytes = 4 * 1024 * 1024;
/** How long to wait for a word of the file system's before looking again. */
const pollMs = 1_000;

export interface LogFileOptions {
  readonly path: string;
  readonly request: Pick<
    ContainerLogRequest,
    'follow' | 'timestamps' | 'tailLines' | 'limitBytes' | 'since' | 'stream'
  >;
  /** Whether more may come; only asked where it is followed. */
  readonly isRunning: () => boolean;
  readonly clock: Clock;
  /** Ends it quietly. */
  readonly signal: AbortSignal;
}

/**
 * Reads a json-file log; yields what to send, in blocks, and reads on only when the next is asked for. The file is
 * opened at the first `next()`, which throws `NotFound` where it isn't there. Followed, it ends once the container has
 * ended and all of its log was read; a file that takes its place is read on from its start. Older, rotated files are not
 * read. Source: pkg/kubelet/kuberuntime/logs/logs.go, v1.20.
 */
export async function* readLogFile(options: LogFileOptions): AsyncGenerator<Buffer, void, undefined> {
  const { path, request, signal } = options;
  let file = await openLog(path);
  const changes = request.follow ? watchFile(path, options.clock, signal) : undefined;
  const render = makeRenderer(request);
  try {
    let position = request.tailLines === undefined ? 0 : await findTailOffset(file, request.tailLines);
    let rest: Buffer = Buffer.alloc(0);
    const block = Buffer.allocUnsafe(blockBytes);
    let replaced = false;
    // What is written before a container is seen to have ended is there to be read.
    let running = request.follow && options.isRunning();
    while (!signal.aborted) {
      const { bytesRead } = await file.read(block, 0, block.length, position);
      if (bytesRead > 0) {
        position += bytesRead;
        const bytes =
          rest.length === 0 ? block.subarray(0, bytesRead) : Buffer.concat([rest, block.subarray(0, bytesRead)]);
        const end = bytes.lastIndexOf(0x0a) + 1;
        const output = render(bytes.toString('utf8', 0, end));
        rest = bytes.length - end > maxLineBytes ? Buffer.alloc(0) : Buffer.from(bytes.subarray(end));
        if (output.length > 0) yield output;
        if (render.full()) return;
        continue;
      }
      if (replaced) {
        // Only now, at the end of the old one: it may have been written to until it was moved.
        const next = await openLog(path).catch(() => undefined);
        if (next !== undefined) {
          await file.close();
          file = next;
          position = 0;
          rest = Buffer.alloc(0);
          replaced = false;
          changes?.renew();
          continue;
        }
      }
      if (!running) break;
      await changes?.next();
      running = options.isRunning();
      replaced = await isReplaced(path, file, position);
    }
    if (signal.aborted || request.follow) return;
    const output = render(rest.toString('utf8'));
    if (output.length > 0) yield output;
  } finally {
    changes?.close();
    await file.close().catch(() => {});
  }
}

async function openLog(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw fileError('read the log', path, error);
  }
}

/** Another file is at that path now, or this one was cut. */
async function isReplaced(path: string, file: FileHandle, position: number): Promise<boolean> {
  try {
    const [now, opened] = await Promise.all([stat(path), file.stat()]);
    return now.ino !== opened.ino || now.dev !== opened.dev || opened.size < position;
  } catch {
    // Moved away, and the next one isn't there yet.
    return false;
  }
}

interface Renderer {
  /** The bytes to send of some lines, the last perhaps without its newline. */
  (lines: string): Buffer;
  /** Nothing more is to be sent. */
  full(): boolean;
}

function makeRenderer(request: LogFileOptions['request']): Renderer {
  let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
  const render = (lines: string): Buffer => {
    const texts: string[] = [];
    for (const line of lines.split('\n')) {
      const record = line === '' ? undefined : parseLogRecord(line);
      if (record === undefined) continue;
      if (request.since !== undefined && record.time < request.since) continue;
      if (request.stream !== undefined && record.stream !== request.stream) continue;
      texts.push(request.timestamps ? `${record.time} ${record.text}` : record.text);
    }
    const bytes = Buffer.from(texts.join(''));
    const cut = bytes.length > left ? bytes.subarray(0, left) : bytes;
    left -= cut.length;
    return cut;
  };
  return Object.assign(render, { full: () => left <= 0 });
}

/** Wakes at the file system's word or after a second, whichever is first. */
function watchFile(path: string, clock: Clock, signal: AbortSignal) {
  let changed = false;
  let wake: (() => void) | undefined;
  const begin = () => {
    try {
      const watcher = watch(path, { persistent: false }, () => {
        changed = true;
        wake?.();
      });
      // Where nothing tells of changes, the second does.
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return undefined;
    }
  };
  let watcher = begin();
  return {
    async next(): Promise<void> {
      const woken = new AbortController();
      wake = () => woken.abort();
      if (!changed) await clock.sleep(pollMs, AbortSignal.any([woken.signal, signal])).catch(() => {});
      wake = undefined;
      changed = false;
    },
    renew() {
      watcher?.close();
      watcher = begin();
    },
    close: () => watcher?.close(),
  };
}
