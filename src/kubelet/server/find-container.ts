import type { V1Pod } from '../../kube/pod-objects.js';
import type { RuntimeContainer } from '../types.js';
import { HttpFault } from './http-fault.js';
import type { RequestContext } from './request-context.js';
import type { ServerHost } from './server-types.js';

/** The pod that a path names by `:namespace`, `:pod` and perhaps `:uid`. Throws an HttpFault 404. */
export function podOf(host: ServerHost, context: RequestContext): V1Pod {
  const { namespace = '', pod: name = '', uid } = context.params;
  const pod = host.findPod(namespace, name, uid);
  if (pod === undefined) throw new HttpFault(404, 'pod does not exist');
  return pod;
}

/**
 * The running instance of the container that a path names, by what is known, else by asking the engine. Throws an
 * HttpFault 404 with the text that upstream has for a container that is missing and for one that doesn't run.
 */
export async function runningContainerOf(
  host: ServerHost,
  pod: V1Pod,
  context: RequestContext,
): Promise<RuntimeContainer> {
  const { container: name = '' } = context.params;
  const running = (containers: readonly RuntimeContainer[] | undefined) =>
    containers?.find((container) => container.name === name && container.state === 'running');
  const found = running(host.knownStatus(pod)?.containers) ?? running((await host.freshStatus(pod)).containers);
  if (found === undefined) throw new HttpFault(404, `container not found ("${name}")`);
  return found;
}
