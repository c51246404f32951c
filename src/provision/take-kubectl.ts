import { createWriteStream } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { HyperupError, messageOf } from '../base/errors.js';
import { type Engine, managedLabel, roleLabel } from '../docker/types.js';
import type { Journal } from '../host/journal.js';
import { componentImage, componentSource } from '../release/image-of.js';
import type { ReleaseSpec } from '../release/types.js';

/** Where kubectl's program is in the image: hyperkube answers to the name that it is called by. */
function programPath(release: ReleaseSpec): string {
  const [program = '/hyperkube'] = componentSource(release, 'kubectl').command;
  return program;
}

/**
 * Copies kubectl out of the hyperkube image, through a container that never runs. Journaled first; whole or not at
 * all. Throws `ImageUnavailable` where the image has no such program.
 */
export async function takeKubectl(
  engine: Engine,
  release: ReleaseSpec,
  target: string,
  journal: Journal,
): Promise<void> {
  const program = programPath(release);
  const name = `hyperup-kubectl-${process.pid}`;
  const labels = { [managedLabel]: 'true', [roleLabel]: 'copy' };
  const aside = `${target}.hyperup-${process.pid}`;
  // Both are gone again at the end, but a run that is killed leaves them.
  const passing = [
    await journal.record({ kind: 'container', name, labels }),
    await journal.record({ kind: 'file', path: aside, backup: undefined }),
  ];
  const id = await engine.createContainer({
    name,
    image: componentImage(release, 'kubectl'),
    command: ['true'],
    labels,
  });
  try {
    if (!journal.entries().some(({ change }) => change.kind === 'file' && change.path === target)) {
      await journal.record({ kind: 'file', path: target, backup: undefined });
    }
    let found = false;
    const unpack = extract();
    unpack.on('entry', (header, stream, next) => {
      if (header.type !== 'file' || found) {
        stream.on('end', next).resume();
        return;
      }
      found = true;
      pipeline(stream, createWriteStream(aside, { mode: 0o755 })).then(() => next(), next);
    });
    await pipeline(await engine.copyFromContainer(id, program), unpack);
    if (!found) throw new HyperupError('ImageUnavailable', `copy kubectl: ${program} is not a program in the image`);
    await chmod(aside, 0o755);
    await rename(aside, target);
  } catch (error) {
    await rm(aside, { force: true });
    throw error instanceof HyperupError
      ? error
      : new HyperupError('HostChangeFailed', `copy kubectl to ${target}: ${messageOf(error)}`, { cause: error });
  } finally {
    await engine.removeContainer(id, { force: true });
    for (const entry of passing) await journal.forget(entry.id);
  }
}
