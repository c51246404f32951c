import { existsSync, readFileSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../../src/docker/types.js';
import { makeTar, type TarEntry } from '../fakes/fake-engine-tar.js';

/** What the runtime's tests on a real engine share: Debian's busybox-static, and an image of it. */
export const busybox = '/bin/busybox';

/**
 * Imports an image with busybox under these names and the files beside it; gives its id. Its command waits for SIGTERM,
 * which is all that a pause container does.
 */
export async function importBusybox(
  engine: Engine,
  image: string,
  applets: readonly string[],
  files: readonly TarEntry[] = [],
): Promise<string> {
  if (!existsSync(busybox)) throw new Error(`${busybox} is missing: install the package busybox-static`);
  const archive = makeTar([
    { name: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
    ...applets.map((name) => ({ name: `bin/${name}`, link: 'busybox' })),
    ...files,
  ]);
  const wait = 'trap \\"exit 0\\" TERM; while :; do /bin/busybox usleep 50000; done';
  return await engine.importImage(archive, image, [`CMD ["/bin/busybox", "sh", "-c", "${wait}"]`]);
}

/** Removes the empty cgroups that pods below that root have left. */
export async function removeCgroups(root: string): Promise<void> {
  for (const name of ['.', ...(await readdir('/sys/fs/cgroup'))]) {
    for (const path of ['kubepods/burstable', 'kubepods/besteffort', 'kubepods', '']) {
      await rmdir(join('/sys/fs/cgroup', name, root, path)).catch(() => {});
    }
  }
}
