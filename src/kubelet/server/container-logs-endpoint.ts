import type { ServerResponse } from 'node:http';
import { isHyperupError, messageOf } from '../../base/errors.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { RuntimeContainer } from '../types.js';
import { HttpFault } from './http-fault.js';
import { hasContainer, loggedContainerId } from './log-container.js';
import { readLogFile } from './log-file-reader.js';
import { type ContainerLogRequest, logRequestOf } from './log-options.js';
import { drained } from './pump.js';
import type { Endpoint, RequestContext } from './request-context.js';
import type { EndpointOptions } from './server-types.js';

/** A container's log, both outputs in one. Source: server.go getContainerLogs, v1.20. */
export function makeContainerLogsEndpoint(options: EndpointOptions): Endpoint {
  const { host } = options;
  return async (context) => {
    const { namespace = '', pod: podName = '', container: name = '' } = context.params;
    const request = logRequestOf(context.query, options.clock.now());
    const pod = host.findPod(namespace, podName);
    if (pod === undefined) throw new HttpFault(404, `pod "${podName}" does not exist`);
    if (!hasContainer(pod, name)) throw new HttpFault(404, `container "${name}" not found in pod "${podName}"`);
    const id = loggedContainerId(pod, name, request.previous);
    const container = await instanceOf(pod, id);
    if (container === undefined) {
      throw new HttpFault(400, `unable to retrieve container logs for docker://${id}`);
    }
    try {
      await send(context, blocksOf(pod, container, request, context.signal));
    } catch (error) {
      // Before the first byte it can still be told as an error of the request's.
      if (context.response.headersSent || !isHyperupError(error)) throw error;
      throw new HttpFault(400, messageOf(error));
    }
  };

  async function instanceOf(pod: V1Pod, id: string): Promise<RuntimeContainer | undefined> {
    const known = host.knownStatus(pod)?.containers.find((container) => container.id === id);
    if (known !== undefined && known.logPath !== '') return known;
    return (await host.freshStatus(pod)).containers.find((container) => container.id === id);
  }

  function blocksOf(
    pod: V1Pod,
    container: RuntimeContainer,
    request: ContainerLogRequest,
    signal: AbortSignal,
  ): AsyncIterator<Buffer, void> {
    if (container.logPath === '') return readEngineLog(options, container, request, signal);
    return readLogFile({
      path: `${options.hostRoot}${container.logPath}`,
      request,
      isRunning: () => {
        const now = host.knownStatus(pod)?.containers.find(({ id }) => id === container.id);
        return now?.state === 'running';
      },
      clock: options.clock,
      signal,
    });
  }
}

/** The headers go out before the first byte of the log is there, once it is known that it can be read. */
async function send(context: RequestContext, blocks: AsyncIterator<Buffer, void>): Promise<void> {
  const { response } = context;
  const begun = blocks.next();
  // A log that is followed may be silent for long; one that can't be opened fails sooner than that.
  const soon = new Promise<'silent'>((resolve) => {
    setTimeout(() => resolve('silent'), 100).unref();
  });
  await Promise.race([begun, soon]);
  begin(response);
  for (let next = await begun; next.done !== true; next = await blocks.next()) {
    if (!response.write(next.value)) await drained(response);
    if (context.signal.aborted) break;
  }
  await blocks.return?.();
  response.end();
}

function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
}

/** For log drivers whose files are not for others to read. */
async function* readEngineLog(
  options: EndpointOptions,
  container: RuntimeContainer,
  request: ContainerLogRequest,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const streams = await options.engine.containerLogs(container.id, container.tty, {
    follow: request.follow,
    tail: request.tailLines,
    sinceMs: request.since === undefined ? undefined : Date.parse(request.since),
    timestamps: request.timestamps,
    signal,
  });
  streams.ended.catch(() => {});
  const cut = () => streams.destroy();
  signal.addEventListener('abort', cut, { once: true });
  let left = request.limitBytes ?? Number.POSITIVE_INFINITY;
  try {
    for await (const chunk of merged(streams.stdout, streams.stderr)) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left <= 0) return;
    }
  } finally {
    signal.removeEventListener('abort', cut);
    streams.destroy();
  }
}

/** Chunks of several streams as they come; ends when all have. */
async function* merged(...streams: readonly AsyncIterable<Buffer>[]): AsyncGenerator<Buffer, void, undefined> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const nexts = new Map(iterators.map((iterator, index) => [index, take(iterator, index)]));
  while (nexts.size > 0) {
    const { index, result } = await Promise.race(nexts.values());
    const iterator = iterators[index];
    if (result.done === true || iterator === undefined) {
      nexts.delete(index);
      continue;
    }
    nexts.set(index, take(iterator, index));
    yield result.value;
  }
}

async function take(iterator: AsyncIterator<Buffer>, index: number) {
  return { index, result: await iterator.next() };
}
