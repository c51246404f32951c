import { createHash, getHashes } from 'node:crypto';
import { hold, release } from '../../base/block-pool.js';
import { HyperupError } from '../../base/errors.js';
import type { PartStore } from './part-store.js';

/** How much is kept in memory for a reader that is a little behind; beyond it comes from the file. */
const heldLimit = 1 << 20;
/** How much is read at a time of what came out of order. */
const readBytes = 1 << 20;

/** The digest of a blob whose bytes come in any order, each looked at once, in the blob's order. */
export interface PrefixDigest {
  /** Bytes just received; taken from memory where they are the next ones, else they are read back later. */
  offer(position: number, chunk: Buffer): void;
  /** To be called when more was written. */
  advance(): void;
  /** A little waiting would spare reading back: what is kept in memory is as much as may be. */
  readonly full: boolean;
  /** The reader is slow: until it has caught up it is served from the file. */
  giveUpHolding(): void;
  /** When every byte was offered or written: the digest, with its algorithm before it. */
  finish(): Promise<string>;
  /** Ends the reading back. */
  stop(): void;
}

export interface PrefixDigestOptions {
  readonly algorithm: string;
  readonly size: number;
  readonly store: Pick<PartStore, 'read'>;
  /** Where the run of written bytes that holds a position ends. */
  readonly writtenTo: (position: number) => number;
  /**
   * The bytes in order; what it returns is awaited before the next, what comes meanwhile is read back from the file. A
   * chunk may be lent: who keeps it holds it (`base/block-pool`).
   */
  readonly onPrefix?: ((chunk: Buffer) => void | Promise<void>) | undefined;
  readonly onFailed: (error: unknown) => void;
  /** `full` is over. */
  readonly onRoom?: (() => void) | undefined;
}

export function makePrefixDigest(options: PrefixDigestOptions): PrefixDigest {
  const { algorithm, size, store, writtenTo, onPrefix, onFailed } = options;
  const hash = createHash(algorithm);
  let at = 0;
  let busy = false;
  let stopped = false;
  let failed: { readonly error: unknown } | undefined;
  let done: (() => void) | undefined;
  /** The next bytes in order, while the reader is behind. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  let fromFile = false;

  function take(chunk: Buffer): void | Promise<void> {
    hash.update(chunk);
    at += chunk.length;
    return onPrefix?.(chunk);
  }

  function settle(work: Promise<void>): void {
    busy = true;
    work
      .catch((error: unknown) => {
        failed = { error };
        onFailed(error);
      })
      .finally(() => {
        busy = false;
        advance();
      });
  }

  async function catchUp(): Promise<void> {
    for (let chunk = held.shift(); chunk !== undefined && !stopped; chunk = held.shift()) {
      const wasFull = heldBytes >= heldLimit;
      heldBytes -= chunk.length;
      const taken = take(chunk);
      release(chunk);
      if (wasFull && heldBytes < heldLimit) options.onRoom?.();
      await taken;
    }
    await readBack();
    fromFile = false;
  }

  async function readBack(): Promise<void> {
    if (held.length > 0) return;
    for (let end = writtenTo(at); at < end && !stopped && held.length === 0; end = writtenTo(at)) {
      await take(await store.read(at, Math.min(end - at, readBytes)));
    }
  }

  function advance(): void {
    if (busy) return;
    if (failed !== undefined || stopped || at === size) done?.();
    else if (held.length > 0 || writtenTo(at) > at) settle(catchUp());
  }

  return {
    offer(position, chunk) {
      if (stopped || failed !== undefined || position !== at + heldBytes) return;
      if (busy) {
        if (fromFile || heldBytes >= heldLimit) return;
        hold(chunk);
        held.push(chunk);
        heldBytes += chunk.length;
        return;
      }
      try {
        const pending = take(chunk);
        if (pending !== undefined) settle(pending);
      } catch (error) {
        failed = { error };
        onFailed(error);
      }
    },
    advance,
    get full() {
      return busy && !fromFile && heldBytes >= heldLimit;
    },
    giveUpHolding() {
      fromFile = true;
    },
    async finish() {
      await new Promise<void>((resolve) => {
        done = resolve;
        advance();
      });
      if (failed !== undefined) throw failed.error;
      if (at !== size) throw new HyperupError('Internal', `digest a blob: stopped at byte ${at} of ${size}`);
      return `${algorithm}:${hash.digest('hex')}`;
    },
    stop: () => {
      stopped = true;
      held = [];
      advance();
    },
  };
}

/** The algorithm of a digest: `sha256` or `sha512`, as the OCI image specification registers them. */
export function digestAlgorithm(digest: string): 'sha256' | 'sha512' {
  const match = /^(?:(sha256):[0-9a-f]{64}|(sha512):[0-9a-f]{128})$/.exec(digest);
  const algorithm = match?.[1] ?? match?.[2];
  if ((algorithm === 'sha256' || algorithm === 'sha512') && getHashes().includes(algorithm)) return algorithm;
  throw new HyperupError('ImageUnavailable', `fetch ${digest}: want a sha256 or sha512 digest`);
}
