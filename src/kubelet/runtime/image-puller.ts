import { HyperupError, messageOf } from '../../base/errors.js';
import type { RuntimeEngine } from '../../docker/runtime-types.js';
import type { PullCredentials } from './pull-credentials.js';

export interface ImagePullerOptions {
  readonly engine: Pick<RuntimeEngine, 'pullImage'>;
  /** How many pulls run at once; others wait. */
  readonly maxParallel: number;
  /** A pull that makes no progress for this long is given up. */
  readonly stallMs: number;
}

export interface ImagePuller {
  /**
   * Pulls with each of the credentials, then without, until one works. Whoever wants the same image with the same
   * credentials shares one pull, which ends early only once nobody wants it any more. Rejects with the engine's errors.
   */
  pull(reference: string, credentials: readonly PullCredentials[], signal: AbortSignal): Promise<void>;
}

interface Flight {
  readonly done: Promise<void>;
  readonly abort: AbortController;
  waiters: number;
}

export function createImagePuller(options: ImagePullerOptions): ImagePuller {
  const { engine, stallMs } = options;
  const flights = new Map<string, Flight>();
  const slots = createSlots(options.maxParallel);

  const attempt = async (reference: string, credentials: readonly PullCredentials[], signal: AbortSignal) => {
    const errors: unknown[] = [];
    for (const auth of [...credentials, undefined]) {
      try {
        await engine.pullImage(reference, { stallMs, signal, ...(auth ? { auth } : {}) });
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        errors.push(error);
      }
    }
    const [only] = errors;
    if (errors.length === 1) throw only;
    throw new HyperupError('RegistryFailed', `[${[...new Set(errors.map(messageOf))].join(', ')}]`, { cause: only });
  };
  const start = (key: string, reference: string, credentials: readonly PullCredentials[]): Flight => {
    const abort = new AbortController();
    const done = slots(() => attempt(reference, credentials, abort.signal), abort.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight = { done, abort, waiters: 0 };
    done.catch(() => {});
    flights.set(key, flight);
    return flight;
  };
  return {
    async pull(reference, credentials, signal) {
      const key = JSON.stringify([reference, credentials]);
      const flight = flights.get(key) ?? start(key, reference, credentials);
      flight.waiters += 1;
      try {
        await untilAborted(flight.done, signal, `pull ${reference}`);
      } finally {
        flight.waiters -= 1;
        if (flight.waiters === 0) {
          if (flights.get(key) === flight) flights.delete(key);
          flight.abort.abort();
        }
      }
    },
  };
}

async function untilAborted(done: Promise<void>, signal: AbortSignal, action: string): Promise<void> {
  if (signal.aborted) throw aborted(action);
  let onAbort = () => {};
  const stopped = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(aborted(action));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([done, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function aborted(action: string): HyperupError {
  return new HyperupError('Aborted', `${action}: interrupted`);
}

/** Runs so many at once, the rest in the order of asking; who is aborted while waiting never runs. */
function createSlots(count: number): (work: () => Promise<void>, signal: AbortSignal) => Promise<void> {
  const queue: (() => void)[] = [];
  let free = count;
  return async (work, signal) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      if (!signal.aborted) await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else free += 1;
    }
  };
}
