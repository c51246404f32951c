import { apiTime } from '../../kube/kube-time.js';
import type {
  V1ContainerImage,
  V1Node,
  V1NodeAddress,
  V1NodeCondition,
  V1NodeStatus,
} from '../../kube/node-objects.js';
import type { KubeletOptions } from '../config/kubelet-options.js';
import { compareQuantities } from '../pod/quantity.js';
import type { MachineFacts } from './machine-facts.js';
import { mergeRoom, type NodeRoom } from './node-capacity.js';

/** One of the node's own conditions as of now. */
export interface ConditionReading {
  readonly type: 'MemoryPressure' | 'DiskPressure' | 'PIDPressure' | 'Ready';
  readonly isTrue: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface NodeReading {
  readonly options: Pick<KubeletOptions, 'identity' | 'kubeletVersion' | 'server' | 'node'>;
  readonly facts: MachineFacts;
  readonly room: NodeRoom;
  readonly engineVersion: string;
  readonly images: readonly V1ContainerImage[];
  readonly conditions: readonly ConditionReading[];
  readonly volumesInUse: readonly string[];
}

/** The status that the node ought to have, over the one that stands in the API: foreign entries stay. Pure. */
export function composeNodeStatus(reading: NodeReading, found: V1NodeStatus | undefined, nowMs: number): V1NodeStatus {
  const { options, facts } = reading;
  return {
    ...mergeRoom(reading.room, found ?? {}),
    conditions: composeConditions(reading.conditions, found?.conditions ?? [], nowMs),
    addresses: nodeAddresses(options.identity),
    daemonEndpoints: { kubeletEndpoint: { Port: options.server.enabled ? options.server.port : 0 } },
    nodeInfo: {
      machineID: facts.machineId,
      systemUUID: facts.systemUuid,
      bootID: facts.bootId,
      kernelVersion: facts.kernelVersion,
      osImage: facts.osImage,
      containerRuntimeVersion: `docker://${reading.engineVersion}`,
      kubeletVersion: options.kubeletVersion,
      kubeProxyVersion: options.kubeletVersion,
      operatingSystem: 'linux',
      architecture: facts.architecture,
    },
    images: reading.images,
    ...(reading.volumesInUse.length > 0 ? { volumesInUse: reading.volumesInUse } : {}),
  };
}

function nodeAddresses(identity: KubeletOptions['identity']): V1NodeAddress[] {
  return [
    ...identity.nodeIps.map((address) => ({ type: 'InternalIP', address }) as const),
    { type: 'Hostname', address: identity.nodeName },
  ];
}

/** In the usual order, others' after ours; the time of transition changes with the status alone. */
function composeConditions(
  readings: readonly ConditionReading[],
  found: readonly V1NodeCondition[],
  nowMs: number,
): V1NodeCondition[] {
  const now = apiTime(nowMs);
  const ours = readings.map(({ type, isTrue, reason, message }): V1NodeCondition => {
    const status = isTrue ? 'True' : 'False';
    const before = found.find((condition) => condition.type === type);
    const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
    return { type, status, lastHeartbeatTime: now, lastTransitionTime, reason, message };
  });
  const types = new Set<string>(readings.map(({ type }) => type));
  return [...found.filter(({ type }) => !types.has(type)), ...ours];
}

/** True where two statuses differ in more than the time of their heartbeats and the spelling of amounts. */
export function isNews(status: V1NodeStatus, found: V1NodeStatus | undefined): boolean {
  return (
    !sameAmounts(status.capacity, found?.capacity) ||
    !sameAmounts(status.allocatable, found?.allocatable) ||
    JSON.stringify(comparable(status)) !== JSON.stringify(comparable(found ?? {}))
  );
}

type Amounts = Readonly<Record<string, string>>;

/** The server gives back `1024Ki` as `1Mi` and `50000` as `50k`. */
function sameAmounts(ours: Amounts = {}, theirs: Amounts = {}): boolean {
  const names = Object.keys(ours);
  return (
    names.length === Object.keys(theirs).length &&
    names.every((name) => {
      const [a, b] = [ours[name], theirs[name]];
      return a !== undefined && b !== undefined && (a === b || compareQuantities(a, b) === 0);
    })
  );
}

function comparable(status: V1NodeStatus): unknown {
  const { addresses, daemonEndpoints, nodeInfo, images = [] } = status;
  const conditions = (status.conditions ?? [])
    .map(({ type, status, reason, message }) => [type, status, reason, message])
    .sort();
  return [
    conditions,
    addresses,
    daemonEndpoints?.kubeletEndpoint?.Port,
    sorted({ ...nodeInfo }),
    // The server leaves out a size of 0.
    images.map(({ names, sizeBytes = 0 }) => [names, sizeBytes]),
    status.volumesInUse ?? [],
  ];
}

function sorted(record: Readonly<Record<string, unknown>> | undefined): unknown {
  return Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The node as it is first registered. Pure. */
export function initialNode(reading: NodeReading, nowMs: number): V1Node {
  const { options } = reading;
  const { nodeName } = options.identity;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: nodeName,
      labels: { ...ownLabels(reading), ...options.node.labels },
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: {
      ...(options.node.podCidr === undefined
        ? {}
        : { podCIDR: options.node.podCidr, podCIDRs: [options.node.podCidr] }),
      ...(options.node.taints.length > 0 ? { taints: options.node.taints } : {}),
    },
    status: composeNodeStatus(reading, undefined, nowMs),
  };
}

/** The labels that a kubelet keeps right on its node. */
export function ownLabels({
  options,
  facts,
}: Pick<NodeReading, 'options' | 'facts'>): Readonly<Record<string, string>> {
  const { nodeName } = options.identity;
  return {
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': facts.architecture,
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': facts.architecture,
  };
}
