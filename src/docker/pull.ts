import { HyperupError, throwIfAborted } from '../base/errors.js';
import { engineGoneHint, inBandError } from './errors.js';
import { type IdleTimer, messageError, type ProgressMessage, readMessages, startIdleTimer } from './json-stream.js';
import { makePullTally } from './pull-tally.js';
import { splitReference } from './reference-parts.js';
import { consume } from './stream-errors.js';
import type { Transport } from './transport.js';
import type { PullOptions } from './types.js';

/** How long a pull may be silent where the caller doesn't say. */
const defaultStallMs = 120_000;

/**
 * Pulls one reference. The time limit runs from the request on, since an engine whose mirror hangs says nothing at all.
 * Errors: `ImageUnavailable`, `RegistryFailed` and `DigestMismatch` of the registry's; `EngineFailed` (disk full and the
 * like); `EngineUnreachable` where the engine goes away; `Timeout` on a stall; `Aborted`.
 */
export async function pullImage(transport: Transport, reference: string, options: PullOptions = {}): Promise<void> {
  const action = `pull ${reference}`;
  throwIfAborted(options.signal, action);
  const idle = startIdleTimer(action, options.stallMs ?? defaultStallMs, transport.clock);
  const cut = new AbortController();
  const onAbort = () => cut.abort(options.signal?.reason);
  const onIdle = () => cut.abort(idle.signal.reason);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  idle.signal.addEventListener('abort', onIdle, { once: true });
  try {
    await pullUnderSignal(transport, action, reference, options, cut.signal, idle);
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    idle.stop();
  }
}

async function pullUnderSignal(
  transport: Transport,
  action: string,
  reference: string,
  options: PullOptions,
  signal: AbortSignal,
  idle: IdleTimer,
): Promise<void> {
  const { repository, tag } = splitReference(reference);
  const response = await transport
    .open({
      action,
      method: 'POST',
      path: '/images/create',
      query: { fromImage: repository, tag, platform: options.platform },
      auth: options.auth,
      scope: 'registry',
      signal,
    })
    .catch((error: unknown) => {
      if (signal.aborted && signal.reason instanceof HyperupError) throw signal.reason;
      throw error;
    });
  const tally = makePullTally();
  await consume(action, transport, response, [signal], async () => {
    for await (const message of readMessages(response)) {
      idle.heard();
      takeMessage(action, message);
      const progress = tally.add(message);
      if (progress) options.onProgress?.(progress);
    }
  });
  if (!tally.complete) {
    throw new HyperupError('EngineUnreachable', `${action}: the engine ended the pull without saying that it is done`, {
      hint: engineGoneHint,
    });
  }
}

function takeMessage(action: string, message: ProgressMessage): void {
  const error = messageError(message);
  if (error !== undefined) throw inBandError(action, error, 'RegistryFailed', 'registry');
}
