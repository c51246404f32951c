import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { isHyperupError, throwIfAborted } from '../../base/errors.js';
import { fileError } from '../../base/files.js';
import type { Logger } from '../../base/logger.js';
import { withFolder } from '../../base/make-folder.js';
import { acquireLock, type ProcessIdentity } from '../../host/lock.js';

/** A part file that nobody else writes to. */
export interface PartClaim {
  readonly partPath: string;
  /** Its name is this process's own: of no use for a later one. */
  readonly isPrivate: boolean;
  release(): Promise<void>;
}

export interface PartClaimOptions {
  /** What the blob's file is called in the end. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal | undefined;
  /** This process. */
  readonly identity: ProcessIdentity;
  /** How long another process may hold it without writing before a private file is used, milliseconds. */
  readonly patienceMs: number;
  /** Makes private names differ. */
  readonly suffix: string;
}

const pollMs = 250;

/**
 * Claims `PATH.part` by a lock file beside it. While another live process holds it and makes progress this waits, for
 * what that one fetches need not be fetched twice; a holder that stands still is left alone and a private file is used.
 */
export async function claimPart(options: PartClaimOptions): Promise<PartClaim> {
  const { path, clock, logger, signal, identity, patienceMs, suffix } = options;
  const partPath = `${path}.part`;
  const lockIt = () =>
    acquireLock({
      path: `${partPath}.lock`,
      host: { root: '' },
      clock,
      pid: identity.pid,
      identity,
      command: 'fetch a blob',
    });
  let seen: string | undefined;
  let movedMs = clock.monotonicMs();
  for (;;) {
    throwIfAborted(signal, `fetch ${path}`);
    try {
      const lock = await withFolder(dirname(path), lockIt);
      return { partPath, isPrivate: false, release: () => lock.release() };
    } catch (error) {
      if (!isHyperupError(error, 'Locked')) throw fileError('claim', partPath, error);
    }
    const progress = await progressOf(partPath);
    if (progress !== seen) {
      seen = progress;
      movedMs = clock.monotonicMs();
    }
    if (clock.monotonicMs() - movedMs >= patienceMs) {
      logger.warn('another process holds a part file and makes no progress; fetching beside it', { path: partPath });
      return { partPath: `${partPath}.${suffix}`, isPrivate: true, release: async () => {} };
    }
    try {
      await clock.sleep(pollMs, signal);
    } catch {
      throwIfAborted(signal, `fetch ${path}`);
    }
  }
}

/** Changes while the file is written to. */
async function progressOf(path: string): Promise<string> {
  try {
    const { mtimeMs, blocks } = await stat(path);
    return `${mtimeMs} ${blocks}`;
  } catch {
    return '';
  }
}
