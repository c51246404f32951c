import type { ClusterOptions } from '../config/types.js';

/** A port that a component will listen on. */
export interface NeededPort {
  readonly component: string;
  readonly port: number;
  /** `0.0.0.0` for all. */
  readonly address: string;
}

/** The ports that a cluster of these options listens on, and where: only API server and kubelet beyond loopback. */
export function neededPorts(cluster: Pick<ClusterOptions, 'ports'>): readonly NeededPort[] {
  const { ports } = cluster;
  const all = '0.0.0.0';
  const loopback = '127.0.0.1';
  return [
    { component: 'kube-apiserver', port: ports.api, address: all },
    { component: 'kubelet', port: ports.kubelet, address: all },
    { component: 'etcd (clients)', port: ports.etcdClient, address: loopback },
    { component: 'etcd (peers)', port: ports.etcdPeer, address: loopback },
    { component: 'kube-controller-manager', port: ports.controllerManager, address: loopback },
    { component: 'kube-scheduler', port: ports.scheduler, address: loopback },
    { component: 'kubelet (health)', port: ports.kubeletHealth, address: loopback },
    { component: 'kube-proxy (health)', port: ports.proxyHealth, address: loopback },
    { component: 'kube-proxy (metrics)', port: ports.proxyMetrics, address: loopback },
  ];
}
