import { messageOf } from '../../base/errors.js';
import type { ProcessStreams } from '../../docker/runtime-types.js';
import type { V1Status } from '../../kube/objects.js';
import { exitStatus, failureStatus } from './command-status.js';
import { podOf, runningContainerOf } from './find-container.js';
import { HttpFault } from './http-fault.js';
import { pump } from './pump.js';
import { isWebSocketRequest, type RemoteStreams, type StreamRequest, streamRequestOf } from './remote-streams.js';
import type { Endpoint, RequestContext } from './request-context.js';
import type { EndpointOptions } from './server-types.js';
import { openSpdyStreams } from './spdy-remote-streams.js';
import { followTerminalSize } from './terminal-resize.js';
import { openWebSocketStreams } from './websocket-remote-streams.js';

/** Runs a command in a container, its streams over SPDY or a WebSocket. Source: server.go getExec, v1.20. */
export function makeExecEndpoint(options: EndpointOptions): Endpoint {
  return async (context) => {
    const request = streamRequestOf(context.query);
    const pod = podOf(options.host, context);
    const { id } = await runningContainerOf(options.host, pod, context);
    const command = context.query.getAll('command');
    if (command.length === 0) throw new HttpFault(400, 'you must specify at least 1 command');
    const streams = await openRemoteStreams(context, request, options);
    await streams.finish(await outcome());

    async function outcome(): Promise<V1Status> {
      const action = 'error executing command in container';
      try {
        const stdin = streams.stdin !== undefined;
        const exec = await options.engine.startExec(id, { command, stdin, tty: request.tty });
        if (streams.resize !== undefined) void followTerminalSize(streams.resize, (size) => exec.resize(size));
        await connect(streams, exec);
        if (streams.closed.aborted) return failureStatus(action, 'the client has gone');
        return exitStatus(await exec.exitCode());
      } catch (error) {
        options.logger.info('a command could not be run for a client', { containerID: id, err: messageOf(error) });
        return failureStatus(action, error);
      }
    }
  };
}

/** Over what the client's request asks for. Throws an HttpFault before the upgrade. */
export function openRemoteStreams(
  context: RequestContext,
  request: StreamRequest,
  options: EndpointOptions,
): Promise<RemoteStreams> {
  return isWebSocketRequest(context)
    ? openWebSocketStreams(context, request, options)
    : openSpdyStreams(context, request, options);
}

/**
 * Copies both ways until the process has given all its output, or the client has gone, which ends the process's input
 * and our connection with it. Rejects where the engine's side breaks.
 */
export async function connect(streams: RemoteStreams, command: ProcessStreams): Promise<void> {
  const { closed } = streams;
  let gone = () => {};
  const cut = new Promise<void>((resolve) => {
    gone = () => {
      command.stdin?.end();
      command.destroy();
      resolve();
    };
  });
  closed.addEventListener('abort', gone, { once: true });
  if (closed.aborted) gone();
  command.stdin?.on('error', () => {});
  try {
    if (streams.stdin !== undefined) void pump(streams.stdin, command.stdin, { end: true, gather: true });
    const output = Promise.all([
      pump(command.stdout, streams.stdout, { end: false }),
      pump(command.stderr, streams.stderr, { end: false }),
    ]);
    const ended = command.ended.catch((error: unknown) => {
      if (!closed.aborted) throw error;
    });
    await Promise.race([Promise.all([output, ended]), cut]);
  } finally {
    closed.removeEventListener('abort', gone);
    command.destroy();
  }
}
