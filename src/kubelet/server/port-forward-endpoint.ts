import { Duplex } from 'node:stream';
import { messageOf } from '../../base/errors.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { podOf } from './find-container.js';
import { HttpFault } from './http-fault.js';
import { type Forward, forwardOverSpdy } from './port-forward-spdy.js';
import { pump } from './pump.js';
import { isWebSocketRequest } from './remote-streams.js';
import type { Endpoint, RequestContext } from './request-context.js';
import type { EndpointOptions } from './server-types.js';
import { openWebSocketChannels } from './websocket-channels.js';

const protocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const;
const defaultIdleTimeoutMs = 4 * 60 * 60_000;
/** Two channels a port, each told by one byte; 255 is reserved. */
const maxPorts = 100;

/** Connects a client with ports of a pod. Source: server.go getPortForward and cri/streaming/portforward, v1.20. */
export function makePortForwardEndpoint(options: EndpointOptions): Endpoint {
  return async (context) => {
    const ports = isWebSocketRequest(context) ? portsOf(context.query) : undefined;
    const pod = podOf(options.host, context);
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
      throw new HttpFault(500, 'unable to forward port because pod is not running');
    }
    const forward = makeForward(options, pod);
    if (ports === undefined) await forwardOverSpdy(context, options, forward);
    else await forwardOverWebSocket(context, options, ports, forward);
  };
}

function makeForward(options: EndpointOptions, pod: V1Pod): Forward {
  return async (port, data, error) => {
    try {
      const connection = await options.dialPod(pod, port);
      connection.on('error', () => {});
      // The client has gone, or has given this one up.
      const cut = () => connection.destroy();
      data.on('close', cut);
      if (data.destroyed) cut();
      void pump(data, connection, { end: true, gather: true });
      await pump(connection, data, { end: true });
      connection.end();
    } catch (failure) {
      const uid = pod.metadata?.uid ?? '';
      const text = messageOf(failure);
      options.logger.info('a port could not be forwarded', { podUID: uid, port, err: text });
      if (!error.destroyed) error.write(`error forwarding port ${port} to pod ${uid}, uid : ${text}`);
    } finally {
      if (!data.destroyed) data.end();
      if (!error.destroyed) error.end();
    }
  };
}

/** Ports that a WebSocket's client names. Throws an HttpFault 400. */
function portsOf(query: URLSearchParams): readonly number[] {
  const texts = query.getAll('port');
  if (texts.length === 0) throw new HttpFault(400, 'query parameter "port" is required');
  const ports = texts.flatMap((text) => text.split(',')).map(portOf);
  if (ports.length > maxPorts) throw new HttpFault(400, `at most ${maxPorts} ports can be forwarded at once`);
  return ports;
}

function portOf(text: string): number {
  if (text === '') throw new HttpFault(400, 'query parameter "port" cannot be empty');
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535)) throw new HttpFault(400, `unable to parse "${text}" as a port`);
  if (port < 1) throw new HttpFault(400, `port "${text}" must be > 0`);
  return port;
}

async function forwardOverWebSocket(
  context: RequestContext,
  options: EndpointOptions,
  ports: readonly number[],
  forward: Forward,
): Promise<void> {
  const { clock } = options;
  const idleTimeoutMs = options.streamingIdleTimeoutMs ?? defaultIdleTimeoutMs;
  const channels = await openWebSocketChannels(context, protocols, { clock, idleTimeoutMs });
  const forwards = ports.map(async (port, index) => {
    const name = Buffer.alloc(2);
    name.writeUInt16LE(port);
    // Before the client is told that it may send: what comes for a channel that nobody reads is dropped.
    const readable = channels.readable(2 * index);
    await channels.send(2 * index, name);
    await channels.send(2 * index + 1, name);
    const data = Duplex.from({ readable, writable: channels.writable(2 * index) });
    data.on('error', () => {});
    channels.closed.addEventListener('abort', () => data.destroy(), { once: true });
    await forward(port, data, channels.writable(2 * index + 1));
  });
  await Promise.all(forwards);
  await channels.finish();
}
