import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HyperupError } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { ensureDirectory } from '../host/changes.js';
import type { Journal } from '../host/journal.js';
import { openBundle } from '../mirror/bundle/open-bundle.js';

/**
 * Puts the kubectl of a bundle in its place, where the bundle has one of its own. Journaled first; whole or not at all.
 * Throws `DigestMismatch` where it isn't what the bundle says.
 */
export async function takeBundledKubectl(file: string, target: string, journal: Journal): Promise<boolean> {
  const bundle = await openBundle(file);
  const aside = `${target}.hyperup-${process.pid}`;
  try {
    const { kubectl } = bundle.manifest;
    const content = bundle.openKubectl();
    if (content === undefined || kubectl === undefined || !('digest' in kubectl)) return false;
    await ensureDirectory(journal, dirname(target), 0o755, false);
    const passing = await journal.record({ kind: 'file', path: aside, backup: undefined });
    if (!journal.entries().some(({ change }) => change.kind === 'file' && change.path === target)) {
      await journal.record({ kind: 'file', path: target, backup: undefined });
    }
    const hash = createHash('sha256');
    const hashing = new Transform({
      transform: (piece: Buffer, _encoding, done) => {
        hash.update(piece);
        done(undefined, piece);
      },
    });
    await pipeline(content, hashing, createWriteStream(aside, { mode: 0o755 }));
    const got = `sha256:${hash.digest('hex')}`;
    if (got !== kubectl.digest) {
      throw new HyperupError('DigestMismatch', `copy kubectl from ${file}: got ${got}, want ${kubectl.digest}`);
    }
    await chmod(aside, 0o755);
    await rename(aside, target);
    await journal.forget(passing.id);
    return true;
  } catch (error) {
    await rm(aside, { force: true });
    throw fileError('write', target, error);
  } finally {
    await bundle.close();
  }
}
