import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { formatBytes } from '../../base/bytes.js';
import type { Descriptor } from '../../registry/types.js';
import { stagedPath } from './transfer-blob.js';
import type { CopyRequest } from './types.js';

/** What a copy that failed leaves for the next run, as a sentence; undefined where it leaves nothing. Never rejects. */
export async function describeLeftovers(
  missing: readonly Descriptor[],
  { source, target, cacheDir }: Pick<CopyRequest, 'source' | 'target' | 'cacheDir'>,
): Promise<string | undefined> {
  if ((source.origins ?? []).length === 0) return undefined;
  const found: { readonly bytes: number; readonly folder: string }[] = [];
  for (const blob of missing) {
    const path = target.stagingPath?.(blob) ?? stagedPath(cacheDir, blob.digest);
    const bytes = await bytesAt(path);
    if (bytes > 0) found.push({ bytes, folder: dirname(path) });
  }
  if (found.length === 0) return undefined;
  const total = found.reduce((sum, { bytes }) => sum + bytes, 0);
  const blobs = found.length === 1 ? '1 blob' : `${found.length} blobs`;
  return `kept for the next run: ${formatBytes(total)} of ${blobs} in ${found[0]?.folder}`;
}

/** What the disk holds of a blob's file and of its part file, which has holes. */
async function bytesAt(path: string): Promise<number> {
  const names = await readdir(dirname(path)).catch(() => []);
  const own = names.filter((name) => name.includes(basename(path)) && !name.endsWith('.notes'));
  const sizes = await Promise.all(
    own.map(async (name) => {
      const status = await stat(join(dirname(path), name)).catch(() => undefined);
      return status === undefined ? 0 : Math.min(status.size, status.blocks * 512);
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
