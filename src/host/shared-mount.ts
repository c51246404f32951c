import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, HyperupError } from '../base/errors.js';
import { ensureDirectory, journaled } from './changes.js';
import type { Host } from './host.js';
import type { Journal } from './journal.js';
import { isSelfBind, mountOf, propagationOf, readMounts } from './mountinfo.js';

/**
 * Sees to it that mounts made below a folder spread to containers and back: where the folder isn't on a shared
 * mount already, binds it on itself (journaled first) and makes that shared. Gives whether it changed anything.
 * The folder is made where absent. Source: mount_namespaces(7).
 */
export async function ensureSharedMount(journal: Journal, path: string, host: Host): Promise<boolean> {
  await ensureDirectory(journal, path, 0o755, false);
  // The kernel's table names what a symbolic link leads to.
  const real = await realPathOf(path);
  const mounts = await readMounts(host);
  if (propagationOf(mounts, real).shared) return false;
  if (!journaled(journal, { kind: 'sharedMount', path: real }))
    await journal.record({ kind: 'sharedMount', path: real });
  // A run that was stopped between the two commands left the bind without the propagation.
  const top = mountOf(mounts, real);
  const bound = top !== undefined && top.mountPoint === real && isSelfBind(mounts, top);
  if (!bound) await mount(host, ['--bind', real, real]);
  await mount(host, ['--make-rshared', real]);
  if (!propagationOf(await readMounts(host), real).shared) {
    throw new HyperupError('HostChangeFailed', `share mount ${path}: mount said yes, the kernel's table says no`);
  }
  return true;
}

/** Where a path leads when the symbolic links in it are followed; its end need not be there yet. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) return path;
    return join(await realPathOf(dirname(path)), basename(path));
  }
}

async function mount(host: Host, args: readonly string[]): Promise<void> {
  const result = await host.run('mount', args);
  if (result.exitCode === 0) return;
  throw new HyperupError('HostChangeFailed', `share mount: ${result.command} exited with ${result.exitCode}`, {
    hint: 'Run as root, on a machine (or in a container) that may mount.',
    output: result.stderr,
  });
}
