import { messageOf } from '../../base/errors.js';
import type { V1Status } from '../../kube/objects.js';
import { failureStatus } from './command-status.js';
import { connect, openRemoteStreams } from './exec-endpoint.js';
import { podOf, runningContainerOf } from './find-container.js';
import { streamRequestOf } from './remote-streams.js';
import type { Endpoint } from './request-context.js';
import type { EndpointOptions } from './server-types.js';
import { followTerminalSize } from './terminal-resize.js';

/** Connects a client with a container's own process. Source: server.go getAttach, v1.20. */
export function makeAttachEndpoint(options: EndpointOptions): Endpoint {
  return async (context) => {
    const request = streamRequestOf(context.query);
    const pod = podOf(options.host, context);
    // Whether there is a terminal is the container's matter, whatever the client asks for.
    const { id, tty, openStdin } = await runningContainerOf(options.host, pod, context);
    const { engine, logger } = options;
    const streams = await openRemoteStreams(context, request, options);
    await streams.finish(await outcome());

    async function outcome(): Promise<V1Status> {
      try {
        const attached = await engine.attachContainer(id, { stdin: streams.stdin !== undefined && openStdin, tty });
        if (streams.resize !== undefined && tty) {
          void followTerminalSize(streams.resize, (size) => engine.resizeContainer(id, size));
        }
        await connect(streams, attached);
        return { status: 'Success' };
      } catch (error) {
        logger.info('a client could not be attached', { containerID: id, err: messageOf(error) });
        return failureStatus('error attaching to container', error);
      }
    }
  };
}
