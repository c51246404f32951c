import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { HyperupError, messageOf } from '../../base/errors.js';
import { fileError, writeAtomic } from '../../base/files.js';

const schema = z.strictObject({
  format: z.literal(1),
  /** Of all chunks together. */
  size: z.number().int().nonnegative(),
  chunks: z
    .array(
      z.strictObject({
        /** Beside this file; never a path. */
        name: z.string().regex(/^[^/\0]+\.\d{3,}$/, 'want a file name that ends in .001 and so on'),
        size: z.number().int().positive(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .min(1)
    .max(100_000),
});

/** What `FILE.chunks.json` says; sizes in bytes, in order. */
export type ChunkList = z.infer<typeof schema>;

/** The list's file of a bundle that was to be called `path`. */
export function chunkListPath(path: string): string {
  return `${path}.chunks.json`;
}

/** Throws `InvalidConfig` where it is no such list. */
export function parseChunkList(text: string, where: string): ChunkList {
  const bad = (reason: string) =>
    new HyperupError('InvalidConfig', `read ${where}: ${reason}`, {
      hint: 'Copy the list again from where hyperup images save wrote it.',
    });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw bad(`it is no JSON: ${messageOf(error)}`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw bad(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`);
  }
  const { size, chunks } = parsed.data;
  const sum = chunks.reduce((total, chunk) => total + chunk.size, 0);
  if (sum !== size) throw bad(`its chunks have ${sum} bytes in all, want ${size}`);
  if (new Set(chunks.map(({ name }) => name)).size < chunks.length) throw bad('it names a chunk twice');
  return parsed.data;
}

/** The chunks of a bundle, where `path` names a list, one of the chunks, or what they were split from; else undefined. */
export async function findChunks(
  path: string,
): Promise<{ readonly listPath: string; readonly list: ChunkList } | undefined> {
  const candidates = path.endsWith('.chunks.json')
    ? [path]
    : [chunkListPath(path), ...(/\.\d{3,}$/.test(path) ? [chunkListPath(path.replace(/\.\d{3,}$/, ''))] : [])];
  const isWhole = !path.endsWith('.chunks.json') && !/\.\d{3,}$/.test(path) && (await isThere(path));
  if (isWhole) return undefined;
  for (const listPath of candidates) {
    if (!(await isThere(listPath))) continue;
    const text = await readFile(listPath, 'utf8').catch((error: unknown) => {
      throw fileError('read', listPath, error);
    });
    return { listPath, list: parseChunkList(text, listPath) };
  }
  return undefined;
}

/**
 * Reads every chunk and compares it with the list. Throws `InvalidConfig` naming each that is missing, cut short or
 * another than it was, all at once: on small media they are fetched again one by one.
 */
export async function checkChunks(listPath: string, list: ChunkList, signal?: AbortSignal): Promise<readonly string[]> {
  const faults: string[] = [];
  const paths = list.chunks.map(({ name }) => join(dirname(listPath), name));
  for (const [index, chunk] of list.chunks.entries()) {
    const path = paths[index] ?? '';
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) faults.push(`${chunk.name} is missing`);
    else if (found.size !== chunk.size) faults.push(`${chunk.name} has ${found.size} bytes, want ${chunk.size}`);
    else {
      const hash = createHash('sha256');
      await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, signal ? { signal } : {}).catch(
        (error: unknown) => {
          throw signal?.aborted
            ? new HyperupError('Aborted', `check ${path}: interrupted`)
            : fileError('read', path, error);
        },
      );
      const got = hash.digest('hex');
      if (got === chunk.sha256) continue;
      const other = list.chunks.find(({ sha256 }) => sha256 === got);
      const is = other === undefined ? `is damaged (sha256 ${got})` : `holds what ${other.name} should hold`;
      faults.push(`${chunk.name} ${is}`);
    }
  }
  if (faults.length > 0) {
    throw new HyperupError('InvalidConfig', `read ${listPath}: ${faults.join('; ')}`, {
      hint: 'Copy those chunks again; nothing was loaded.',
      details: { faults },
    });
  }
  return paths;
}

/** Where a bundle's bytes go; nothing has its final name before `finish`. */
export interface BundleSink {
  write(data: Buffer): Promise<void>;
  /** Gives the files that were made. */
  finish(): Promise<readonly string[]>;
  /** Takes away what was written; never rejects. */
  abort(): Promise<void>;
}

/** One file, or with `chunkBytes` several of at most that size and their list. */
export function openSink(path: string, chunkBytes: number | undefined): BundleSink {
  const made: { readonly aside: string; readonly name: string; size: number; readonly hash: Hash | undefined }[] = [];
  let file: FileHandle | undefined;
  const closeFile = async () => {
    const last = file;
    file = undefined;
    await last?.sync();
    await last?.close();
  };
  const next = async () => {
    await closeFile();
    const name = chunkBytes === undefined ? path : `${path}.${String(made.length + 1).padStart(3, '0')}`;
    const aside = `${name}.partial`;
    file = await open(aside, 'w');
    const hash = chunkBytes === undefined ? undefined : createHash('sha256');
    const current = { aside, name, size: 0, hash };
    made.push(current);
    return current;
  };
  const write = async (data: Buffer) => {
    for (let at = 0; at < data.length; ) {
      let current = made.at(-1);
      if (current === undefined || (chunkBytes !== undefined && current.size >= chunkBytes)) current = await next();
      const room = chunkBytes === undefined ? data.length : chunkBytes - current.size;
      const piece = data.subarray(at, at + room);
      await file?.writeFile(piece);
      current.hash?.update(piece);
      current.size += piece.length;
      at += piece.length;
    }
  };
  const rethrow = (error: unknown) => {
    throw fileError('write', path, error);
  };
  return {
    write: (data) => write(data).catch(rethrow),
    finish: async () => {
      try {
        await closeFile();
        for (const { aside, name } of made) await rename(aside, name);
        if (chunkBytes === undefined) return [path];
        const list: ChunkList = {
          format: 1,
          size: made.reduce((sum, { size }) => sum + size, 0),
          chunks: made.map(({ name, size, hash }) => ({
            name: basename(name),
            size,
            sha256: hash?.digest('hex') ?? '',
          })),
        };
        // The list comes last: where it is, the chunks are whole.
        await writeAtomic(chunkListPath(path), `${JSON.stringify(list, undefined, 1)}\n`);
        return [...made.map(({ name }) => name), chunkListPath(path)];
      } catch (error) {
        return rethrow(error);
      }
    },
    abort: async () => {
      await file?.close().catch(() => {});
      for (const { aside } of made) await rm(aside, { force: true }).catch(() => {});
    },
  };
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
