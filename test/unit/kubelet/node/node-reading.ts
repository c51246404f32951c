import type { MachineFacts } from '../../../../src/kubelet/node/machine-facts.js';
import { readConditions } from '../../../../src/kubelet/node/node-reader.js';
import type { NodeReading } from '../../../../src/kubelet/node/node-status.js';

export const facts: MachineFacts = {
  machineId: 'm',
  systemUuid: 's',
  bootId: 'b',
  kernelVersion: '6.1.0',
  osImage: 'Debian',
  architecture: 'amd64',
  cpus: 2,
  memoryBytes: 4 * 1024 ** 3,
  diskBytes: 100 * 1024 ** 3,
  hugePages: new Map(),
};

const identity = {
  nodeName: 'node-1',
  nodeIps: ['192.0.2.7'],
  instance: 'node-1',
  rootDir: '/var/lib/kubelet',
  podLogDir: '/var/log/pods',
  hostRoot: '',
};

const server: NodeReading['options']['server'] = {
  enabled: true,
  address: '0.0.0.0',
  port: 10250,
  readOnlyPort: 0,
  certFile: undefined,
  keyFile: undefined,
  minTlsVersion: 'TLSv1.2',
  clientCaFile: undefined,
  anonymous: false,
  tokenReview: true,
  tokenCacheMs: 0,
  authorization: 'Webhook',
  allowCacheMs: 0,
  denyCacheMs: 0,
  streamIdleMs: 0,
  debuggingHandlers: true,
};

const node: NodeReading['options']['node'] = {
  register: true,
  schedulable: true,
  labels: { role: 'test' },
  taints: [],
  statusUpdateMs: 10_000,
  statusReportMs: 300_000,
  leaseSeconds: 40,
  maxImages: 50,
  podCidr: undefined,
};

export interface ReadingChanges extends Partial<Omit<NodeReading, 'options'>> {
  readonly nodeIps?: readonly string[];
  readonly node?: Partial<NodeReading['options']['node']>;
  readonly healthy?: boolean;
  readonly pressure?: readonly string[];
}

/** What a healthy node of two cores reads, with changes on top. */
export function makeReading(changes: ReadingChanges = {}): NodeReading {
  const { nodeIps = identity.nodeIps, node: nodeChanges, healthy = true, pressure = [], ...over } = changes;
  const room = { cpu: '2', memory: '4194304Ki', pods: '110', 'ephemeral-storage': '104857600Ki' };
  return {
    options: {
      identity: { ...identity, nodeIps },
      kubeletVersion: 'v1.20.2',
      server,
      node: { ...node, ...nodeChanges },
    },
    facts,
    room: { capacity: room, allocatable: { ...room, memory: '4091904Ki' } },
    engineVersion: '20.10.1',
    images: [{ names: ['a:1'], sizeBytes: 7 }],
    conditions: readConditions(pressure, healthy),
    volumesInUse: [],
    ...over,
  };
}
