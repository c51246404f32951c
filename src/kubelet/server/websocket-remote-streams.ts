import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { statusText } from './command-status.js';
import type { RemoteStreams, StreamRequest } from './remote-streams.js';
import type { RequestContext } from './request-context.js';
import type { EndpointOptions } from './server-types.js';
import { openWebSocketChannels } from './websocket-channels.js';

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const protocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'base64.channel.k8s.io',
] as const;
const defaultIdleTimeoutMs = 4 * 60 * 60_000;
/** How long output that the client doesn't read may hold up the end. */
const flushMs = 10_000;

/**
 * Upgrades to a WebSocket whose channels are the streams. Throws an HttpFault before the upgrade. Source:
 * pkg/kubelet/cri/streaming/remotecommand/websocket.go, v1.20; v5 as of v1.30.
 */
export async function openWebSocketStreams(
  context: RequestContext,
  request: StreamRequest,
  options: EndpointOptions,
): Promise<RemoteStreams> {
  const { clock } = options;
  const idleTimeoutMs = options.streamingIdleTimeoutMs ?? defaultIdleTimeoutMs;
  const socket = await openWebSocketChannels(context, protocols, { clock, idleTimeoutMs });
  const asJson = /^v[45]\./.test(socket.protocol);
  // Tells the client that the connection stands, as there is nothing to say yet.
  const first = request.stdout ? channels.stdout : request.stderr ? channels.stderr : channels.error;
  await socket.send(first, new Uint8Array());
  const stdout = request.stdout ? socket.writable(channels.stdout) : undefined;
  const stderr = request.stderr ? socket.writable(channels.stderr) : undefined;
  return {
    stdin: request.stdin ? socket.readable(channels.stdin) : undefined,
    stdout,
    stderr,
    resize: request.tty ? socket.readable(channels.resize) : undefined,
    closed: socket.closed,
    async finish(status) {
      const timer = new AbortController();
      const late = clock.sleep(flushMs, AbortSignal.any([timer.signal, socket.closed])).catch(() => {});
      await Promise.race([Promise.all([flushed(stdout), flushed(stderr)]), late]);
      timer.abort();
      // Before version 4 a success is told by silence alone: clients take any message there for a failure.
      const text = statusText(status, asJson);
      if (text !== '') await Promise.race([socket.send(channels.error, Buffer.from(text)), gone(socket.closed)]);
      await socket.finish();
    },
  };
}

async function flushed(stream: Writable | undefined): Promise<void> {
  if (stream === undefined) return;
  stream.end();
  await finished(stream).catch(() => {});
}

function gone(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
