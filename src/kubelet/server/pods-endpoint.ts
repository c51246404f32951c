import type { V1Pod } from '../../kube/pod-objects.js';
import { type Endpoint, sendJson } from './request-context.js';

/** A PodList of what `list` gives. Source: server.go getPods, getRunningPods, v1.20. */
export function makePodsEndpoint(list: () => readonly V1Pod[] | Promise<readonly V1Pod[]>): Endpoint {
  return async ({ response }) => {
    const items = await list();
    sendJson(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
  };
}
