import type { V1Node } from '../kube/node-objects.js';
import type { ControlPlaneInputs } from './inputs.js';

/** What the engine's machine has. */
export interface NodeRoom {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/**
 * The node before its kubelet registers it. The kubelet takes it over as it is and adds the rest (v1.20
 * `pkg/kubelet/kubelet_node_status.go`, tryRegisterWithAPIServer). Being there already saves the retries of what waits
 * for it (CSINode, kube-proxy), and with the pods' range set the kubelet reports Ready without waiting for its
 * heartbeat (`fastStatusUpdateOnce`). The range tells the truth: the engine hands out the addresses.
 *
 * It must say what there is room for: a kubelet that finds itself without admits no pod, and stops the static ones.
 */
export function plannedNode({ cluster, podCidr }: ControlPlaneInputs, room: NodeRoom): V1Node {
  const capacity = { cpu: String(room.cpus), memory: `${Math.floor(room.memoryBytes / 1024)}Ki`, pods: '110' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: cluster.nodeName, labels: { 'kubernetes.io/hostname': cluster.nodeName } },
    spec: podCidr === undefined ? {} : { podCIDR: podCidr, podCIDRs: [podCidr] },
    status: { capacity, allocatable: capacity },
  };
}
