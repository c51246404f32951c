import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { outputOf, runProgram } from './program.js';

/** A file system of a test's own, to fill up. */
export interface SmallDisk {
  readonly path: string;
  /** Takes all room but that many bytes, a multiple of 4096. */
  leave(bytes: number): Promise<void>;
  /** Gives the room back. */
  empty(): Promise<void>;
}

/** Mounts a small disk; it is unmounted when the test ends. */
export async function mountSmallDisk(t: Test, bytes: number): Promise<SmallDisk> {
  // Not in the folder for temporary files, where a snapshot of the host would not see what is left.
  await mkdir('/run/hyperup-test', { recursive: true });
  const path = await mkdtemp('/run/hyperup-test/disk-');
  t.teardown(async () => {
    // What a failed test left in it must not keep it mounted.
    await runProgram('umount', ['--lazy', path]);
    await rm(path, { recursive: true, force: true });
    await rm('/run/hyperup-test', { recursive: true, force: true });
  });
  await outputOf('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'hyperup-test', path]);
  const filler = join(path, 'filler');
  return {
    path,
    leave: async (room) => {
      const { bavail, bsize } = await statfs(path);
      await writeFile(filler, Buffer.alloc(bavail * bsize - room));
    },
    empty: () => rm(filler, { force: true }),
  };
}
