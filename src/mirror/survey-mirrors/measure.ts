import type { Clock } from '../../base/clock.js';
import { parseReference } from '../../registry/reference.js';
import type { Descriptor, RegistryClient } from '../../registry/types.js';
import { failureOf, type ProbeFailure } from '../probe-failure.js';
import { withinLimit } from '../time-limit.js';

export interface MeasureOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** For all of it. */
  readonly limitMs: number;
}

/** So much of a blob tells its rate on any link, and costs a metered one little. */
const sampleBytes = 8 * 1024 * 1024;
/** A slow link is known after this long. */
const sampleMs = 4_000;

/** How long one small question takes over a connection that stands; undefined where it has gone meanwhile. */
export async function measureLatency(client: RegistryClient, options: MeasureOptions): Promise<number | undefined> {
  const { clock, signal, limitMs } = options;
  const message = `${client.host} gave no answer within ${limitMs / 1000} s`;
  try {
    const started = clock.monotonicMs();
    await withinLimit({ clock, limitMs, message, signal }, (limit) => client.ping({ signal: limit }));
    return clock.monotonicMs() - started;
  } catch {
    return undefined;
  }
}

/**
 * Reads from the start of a blob, as a pull would, redirects included. What comes is the rate in bytes a second, or why
 * nothing came. Never throws.
 */
export async function measureBlob(
  client: RegistryClient,
  reference: string,
  blob: Descriptor,
  { clock, signal, limitMs }: MeasureOptions,
): Promise<number | ProbeFailure> {
  const { path } = parseReference(reference);
  const message = `${client.host} sent nothing of a blob within ${limitMs / 1000} s`;
  const started = clock.monotonicMs();
  let bytes = 0;
  try {
    await withinLimit({ clock, limitMs, message, signal }, async (limit) => {
      const range = { start: 0, length: Math.min(sampleBytes, blob.size) };
      const { body } = await client.getBlob(path, blob.digest, range, { signal: limit });
      // Leaving the loop destroys the body.
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes >= sampleBytes || clock.monotonicMs() - started >= sampleMs) break;
      }
    });
  } catch (error) {
    if (bytes === 0) return failureOf(error, false);
  }
  if (bytes === 0 && blob.size > 0) return { ok: false, kind: 'broken', reason: message, wholeHost: false };
  return (bytes * 1000) / Math.max(clock.monotonicMs() - started, 1);
}
