import type { KubeObject } from '../kube/objects.js';

interface V1PriorityClass extends KubeObject {
  readonly value: number;
  readonly description: string;
}

/**
 * The priority class of the static pods, exactly as the API server makes it (v1.20 `pkg/apis/scheduling/v1/helpers.go`).
 * It does so a second after it begins to serve (`AddSystemPriorityClasses`); a kubelet that joins before that is refused
 * the pods' API objects, and reports their state ten seconds later. Being there already, it is left alone. Pure.
 */
export function nodeCriticalPriorityClass(): V1PriorityClass {
  return {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  };
}
