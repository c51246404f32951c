import type { Duplex, Writable } from 'node:stream';
import type { RequestContext } from './request-context.js';
import type { EndpointOptions } from './server-types.js';
import type { StreamHeaders } from './spdy/header-block.js';
import { createSpdySession } from './spdy/session.js';
import type { SpdyStream } from './spdy/stream.js';
import { upgradeToSpdy } from './spdy/upgrade.js';
import { endWhenIdle } from './spdy-remote-streams.js';

const defaultIdleTimeoutMs = 4 * 60 * 60_000;
const defaultCreationTimeoutMs = 30_000;
/** Two for each connection that the client forwards. */
const maxStreams = 512;

/** Copies between a client's stream and a new connection to the port until either side is done; then ends both. */
export type Forward = (port: number, data: Duplex, error: Writable) => Promise<void>;

interface Pair {
  error: SpdyStream | undefined;
  data: SpdyStream | undefined;
  readonly complete: AbortController;
}

/**
 * Serves pairs of streams, one pair for each connection of the client's, until the client goes. Throws an HttpFault
 * before the upgrade. Source: pkg/kubelet/cri/streaming/portforward/httpstream.go, v1.20.
 */
export async function forwardOverSpdy(
  context: RequestContext,
  options: EndpointOptions,
  forward: Forward,
): Promise<void> {
  const { clock, logger } = options;
  const { socket, head } = upgradeToSpdy(context, ['portforward.k8s.io']);
  const pairs = new Map<string, Pair>();

  function add(stream: SpdyStream): void {
    const isError = stream.headers.get('streamtype') === 'error';
    const id = stream.headers.get('requestid') ?? String(isError ? stream.id : stream.id - 2);
    let pair = pairs.get(id);
    if (pair === undefined) {
      pair = { error: undefined, data: undefined, complete: new AbortController() };
      pairs.set(id, pair);
      void expire(id, pair);
    }
    // Clients only listen there.
    if (isError) stream.resume();
    if ((isError ? pair.error : pair.data) !== undefined) {
      const kind = isError ? 'error' : 'data';
      pair.error?.write(`error processing stream for request ${id}: ${kind} stream already assigned`);
      stream.destroy();
      return;
    }
    if (isError) pair.error = stream;
    else pair.data = stream;
    if (pair.error === undefined || pair.data === undefined) return;
    pairs.delete(id);
    pair.complete.abort();
    const { error, data } = pair;
    void forward(Number(data.headers.get('port')), data, error);
  }

  async function expire(id: string, pair: Pair): Promise<void> {
    try {
      const signal = AbortSignal.any([pair.complete.signal, session.closed]);
      await clock.sleep(options.streamCreationTimeoutMs ?? defaultCreationTimeoutMs, signal);
    } catch {
      return;
    }
    pairs.delete(id);
    pair.error?.end(`(request=${id}) timed out waiting for streams`);
    pair.data?.destroy();
  }

  const session = createSpdySession({
    socket,
    head,
    clock,
    logger,
    maxStreams,
    accept: isForwardStream,
    onStream: add,
  });
  endWhenIdle(socket, session, options.streamingIdleTimeoutMs ?? defaultIdleTimeoutMs);
  await new Promise<void>((resolve) => {
    if (session.closed.aborted) resolve();
    else session.closed.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Streams that name no port or are of no known type are reset. */
function isForwardStream(headers: StreamHeaders): boolean {
  const port = headers.get('port') ?? '';
  const type = headers.get('streamtype');
  return /^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535 && (type === 'error' || type === 'data');
}
