import type { ClusterOptions } from '../../src/config/types.js';

/** A cluster on a machine of a documentation range (RFC 5737), with `over` on top. */
export function makeCluster(over: Partial<ClusterOptions> = {}): ClusterOptions {
  return {
    name: 'hyperup',
    kubernetesVersion: 'v1.20.2',
    kubelet: 'auto',
    dns: 'auto',
    nodeName: 'node-1',
    nodeAddress: '192.0.2.10',
    apiPort: 6443,
    serviceCidr: '10.96.0.0/12',
    podCidr: undefined,
    clusterDomain: 'cluster.local',
    nodePortRange: '30000-32767',
    extraSans: [],
    paths: {
      configDir: '/etc/kubernetes',
      stateDir: '/var/lib/hyperup',
      etcdDir: '/var/lib/hyperup/etcd',
      kubeletDir: '/var/lib/kubelet',
      podLogDir: '/var/log/pods',
    },
    ports: {
      api: 6443,
      etcdClient: 2379,
      etcdPeer: 2380,
      controllerManager: 10257,
      scheduler: 10259,
      kubelet: 10250,
      kubeletHealth: 10248,
      proxyHealth: 10256,
      proxyMetrics: 10249,
    },
    ...over,
  };
}
