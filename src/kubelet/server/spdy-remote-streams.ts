import { finished } from 'node:stream/promises';
import { HyperupError } from '../../base/errors.js';
import type { V1Status } from '../../kube/objects.js';
import { statusText } from './command-status.js';
import type { RemoteStreams, StreamRequest } from './remote-streams.js';
import type { RequestContext } from './request-context.js';
import type { EndpointOptions } from './server-types.js';
import { createSpdySession, type SpdySession } from './spdy/session.js';
import type { SpdyStream } from './spdy/stream.js';
import { upgradeToSpdy } from './spdy/upgrade.js';

const protocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;
const types = ['error', 'stdin', 'stdout', 'stderr', 'resize'] as const;
type StreamType = (typeof types)[number];

const defaultCreationTimeoutMs = 30_000;
const defaultIdleTimeoutMs = 4 * 60 * 60_000;
const maxStreams = 16;
/** How long output that the client doesn't read may hold up the end. */
const flushMs = 10_000;

/**
 * Upgrades to SPDY and waits for the streams that the request implies. Throws an HttpFault before the upgrade; `Timeout`
 * or `Aborted` after it, with the connection closed. Source: pkg/kubelet/cri/streaming/remotecommand/httpstream.go, v1.20.
 */
export async function openSpdyStreams(
  context: RequestContext,
  request: StreamRequest,
  options: EndpointOptions,
): Promise<RemoteStreams> {
  const { socket, head, protocol } = upgradeToSpdy(context, protocols);
  const resizable = protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io';
  const expected = types.filter((type) => {
    if (type === 'error') return true;
    return type === 'resize' ? request.tty && resizable : request[type];
  });
  const arrived = new Map<StreamType, SpdyStream>();
  let complete = () => {};
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const session = createSpdySession({
    socket,
    head,
    clock: options.clock,
    logger: options.logger,
    maxStreams,
    accept: (headers) => types.some((type) => type === headers.get('streamtype')),
    onStream(stream) {
      const type = stream.headers.get('streamtype') as StreamType;
      arrived.set(type, stream);
      // Clients don't speak on these; what they say nonetheless, an end included, is dropped.
      if (type !== 'stdin' && type !== 'resize') stream.resume();
      if (expected.every((name) => arrived.has(name))) complete();
    },
  });
  endWhenIdle(socket, session, options.streamingIdleTimeoutMs ?? defaultIdleTimeoutMs);
  const waited = new AbortController();
  const signal = AbortSignal.any([waited.signal, session.closed]);
  const late = options.clock.sleep(options.streamCreationTimeoutMs ?? defaultCreationTimeoutMs, signal).then(
    () => new HyperupError('Timeout', 'timed out waiting for client to create streams'),
    () => new HyperupError('Aborted', 'wait for the streams of a remote command: the client has gone'),
  );
  const failure = await Promise.race([all, late]);
  waited.abort();
  if (failure !== undefined) {
    session.destroy();
    throw failure;
  }
  return remoteStreams(session, arrived, protocol === 'v4.channel.k8s.io', options);
}

function remoteStreams(
  session: SpdySession,
  streams: ReadonlyMap<StreamType, SpdyStream>,
  asJson: boolean,
  options: EndpointOptions,
): RemoteStreams {
  const outputs = () => [streams.get('stdout'), streams.get('stderr')].filter((stream) => stream !== undefined);
  const done = async (status: V1Status) => {
    // The status comes last, after the ends of the output: clients stop reading when they have it.
    for (const stream of outputs()) stream.end();
    await Promise.all(outputs().map(flushed));
    const error = streams.get('error');
    error?.end(statusText(status, asJson));
    if (error !== undefined) await flushed(error);
  };
  return {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    resize: streams.get('resize'),
    closed: session.closed,
    async finish(status) {
      const timer = new AbortController();
      const signal = AbortSignal.any([timer.signal, session.closed]);
      await Promise.race([done(status), options.clock.sleep(flushMs, signal).catch(() => {})]);
      timer.abort();
      await session.finish();
    },
  };
}

/** Resolves when all of it was handed to the connection, or can't be any more. */
function flushed(stream: SpdyStream): Promise<void> {
  return finished(stream, { readable: false }).catch(() => {});
}

/** Ends a session over which nothing has gone in either direction for so long. */
export function endWhenIdle(socket: unknown, session: SpdySession, idleMs: number): void {
  if (!hasTimeout(socket)) return;
  socket.setTimeout(idleMs);
  socket.once('timeout', () => session.destroy());
}

function hasTimeout(
  socket: unknown,
): socket is { setTimeout(ms: number): void; once(name: string, f: () => void): void } {
  return typeof socket === 'object' && socket !== null && 'setTimeout' in socket;
}
