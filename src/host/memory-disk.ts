import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { type Host, hostPath, readHostText } from './host.js';

export interface MemoryInfo {
  readonly totalBytes: number;
  /** What can be had without swapping, by the kernel's own estimate. */
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
}

/** Reads /proc/meminfo; zeros where it can't be read. */
export async function readMemory(host: Pick<Host, 'root'>): Promise<MemoryInfo> {
  const text = (await readHostText(host, '/proc/meminfo')) ?? '';
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return {
    totalBytes: field('MemTotal'),
    availableBytes: field('MemAvailable'),
    swapTotalBytes: field('SwapTotal'),
  };
}

export interface DiskSpace {
  /** The path that was asked about. */
  readonly path: string;
  /** The nearest folder above it that is there already. */
  readonly existing: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeInodes: number;
  /** Zero on file systems that have no fixed number (btrfs). */
  readonly totalInodes: number;
}

/** The room on the file system that a path is, or would be, on; to an unprivileged writer (`df`'s Avail). */
export async function readDiskSpace(path: string, host: Pick<Host, 'root'>): Promise<DiskSpace> {
  for (let existing = path; ; existing = dirname(existing)) {
    try {
      const found = await statfs(hostPath(host, existing));
      return {
        path,
        existing,
        freeBytes: found.bavail * found.bsize,
        totalBytes: found.blocks * found.bsize,
        freeInodes: found.ffree,
        totalInodes: found.files,
      };
    } catch (error) {
      const absent = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
      if (!absent || dirname(existing) === existing) throw fileError('measure', path, error);
    }
  }
}
