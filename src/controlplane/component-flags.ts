import { join } from 'node:path';
import type { Component } from '../release/types.js';
import { type FlagRule, type FlagValue, renderFlags } from './flags.js';
import type { ControlPlaneInputs } from './inputs.js';

type Flags = Readonly<Record<string, FlagValue | FlagRule>>;

/** The components that run as static pods. */
export type StaticComponent = Exclude<Component, 'kubelet' | 'kubectl'>;

export const staticComponents: readonly StaticComponent[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
];

const tlsMinVersion = 'VersionTLS12';

function etcd({ cluster }: ControlPlaneInputs): Flags {
  const pki = join(cluster.paths.configDir, 'pki', 'etcd');
  const client = `https://127.0.0.1:${cluster.ports.etcdClient}`;
  const peer = `https://127.0.0.1:${cluster.ports.etcdPeer}`;
  return {
    name: cluster.nodeName,
    'data-dir': cluster.paths.etcdDir,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `${cluster.nodeName}=${peer}`,
    'cert-file': join(pki, 'server.crt'),
    'key-file': join(pki, 'server.key'),
    'trusted-ca-file': join(pki, 'ca.crt'),
    'client-cert-auth': true,
    'peer-cert-file': join(pki, 'peer.crt'),
    'peer-key-file': join(pki, 'peer.key'),
    'peer-trusted-ca-file': join(pki, 'ca.crt'),
    'peer-client-cert-auth': true,
    'snapshot-count': 10000,
    // A lone member elects itself, once a random part of the timeout is over: up to a second at every start by default.
    'heartbeat-interval': 50,
    'election-timeout': 250,
    logger: 'zap',
    'log-level': 'warn',
  };
}

function apiServer({ cluster }: ControlPlaneInputs): Flags {
  const pki = join(cluster.paths.configDir, 'pki');
  return {
    'advertise-address': cluster.nodeAddress,
    'allow-privileged': true,
    'authorization-mode': ['Node', 'RBAC'],
    'client-ca-file': join(pki, 'ca.crt'),
    'enable-admission-plugins': 'NodeRestriction',
    'enable-bootstrap-token-auth': true,
    'etcd-cafile': join(pki, 'etcd', 'ca.crt'),
    'etcd-certfile': join(pki, 'apiserver-etcd-client.crt'),
    'etcd-keyfile': join(pki, 'apiserver-etcd-client.key'),
    'etcd-servers': `https://127.0.0.1:${cluster.ports.etcdClient}`,
    // Served on an unprotected port by default up to 1.19; the flag left with 1.24.
    'insecure-port': { value: 0, until: 24 },
    'kubelet-certificate-authority': join(pki, 'ca.crt'),
    'kubelet-client-certificate': join(pki, 'apiserver-kubelet-client.crt'),
    'kubelet-client-key': join(pki, 'apiserver-kubelet-client.key'),
    'kubelet-preferred-address-types': ['InternalIP', 'Hostname'],
    profiling: false,
    'proxy-client-cert-file': join(pki, 'front-proxy-client.crt'),
    'proxy-client-key-file': join(pki, 'front-proxy-client.key'),
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-client-ca-file': join(pki, 'front-proxy-ca.crt'),
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-username-headers': 'X-Remote-User',
    'secure-port': cluster.ports.api,
    'service-account-issuer': `https://kubernetes.default.svc.${cluster.clusterDomain}`,
    'service-account-key-file': join(pki, 'sa.pub'),
    'service-account-signing-key-file': join(pki, 'sa.key'),
    'service-cluster-ip-range': cluster.serviceCidr,
    'service-node-port-range': cluster.nodePortRange,
    'tls-cert-file': join(pki, 'apiserver.crt'),
    'tls-min-version': tlsMinVersion,
    'tls-private-key-file': join(pki, 'apiserver.key'),
  };
}

/** What the controller manager and the scheduler share: one of each, on loopback, asking the API server who may. */
function delegated({ cluster }: ControlPlaneInputs, identity: string, port: number): Flags {
  const config = cluster.paths.configDir;
  const path = join(config, `${identity}.conf`);
  return {
    kubeconfig: path,
    'authentication-kubeconfig': path,
    'authorization-kubeconfig': path,
    'bind-address': '127.0.0.1',
    'client-ca-file': join(config, 'pki', 'ca.crt'),
    'requestheader-client-ca-file': join(config, 'pki', 'front-proxy-ca.crt'),
    'secure-port': port,
    port: { value: 0, until: 24 },
    profiling: false,
    // A single node has one of each: an election costs seconds at every start and guards nothing.
    'leader-elect': false,
    // Without one it makes up a certificate that nobody can check.
    'tls-cert-file': join(config, 'pki', `${identity}.crt`),
    'tls-private-key-file': join(config, 'pki', `${identity}.key`),
    'tls-min-version': tlsMinVersion,
  };
}

function controllerManager(inputs: ControlPlaneInputs): Flags {
  const { cluster } = inputs;
  const pki = join(cluster.paths.configDir, 'pki');
  return {
    ...delegated(inputs, 'controller-manager', cluster.ports.controllerManager),
    'cluster-name': cluster.name,
    'cluster-signing-cert-file': join(pki, 'ca.crt'),
    'cluster-signing-key-file': join(pki, 'ca.key'),
    controllers: ['*', 'bootstrapsigner', 'tokencleaner'],
    'root-ca-file': join(pki, 'ca.crt'),
    'service-account-private-key-file': join(pki, 'sa.key'),
    'service-cluster-ip-range': cluster.serviceCidr,
    'use-service-account-credentials': true,
    // At its start it makes an account for each of its controllers; 20 requests a second make seconds of that.
    'kube-api-qps': 100,
    'kube-api-burst': 200,
  };
}

function scheduler(inputs: ControlPlaneInputs): Flags {
  return delegated(inputs, 'scheduler', inputs.cluster.ports.scheduler);
}

function proxy({ cluster, podCidr }: ControlPlaneInputs): Flags {
  return {
    kubeconfig: join(cluster.paths.configDir, 'kube-proxy.conf'),
    'hostname-override': cluster.nodeName,
    // Without an address it waits for the Node object to have one.
    'bind-address': cluster.nodeAddress,
    'proxy-mode': 'iptables',
    'cluster-cidr': podCidr,
    'healthz-bind-address': `127.0.0.1:${cluster.ports.proxyHealth}`,
    // Its metrics ask nobody who they are, and 1.20 refuses to start without them (validateHostPort in
    // pkg/proxy/apis/config/validation): so they stay on loopback.
    'metrics-bind-address': `127.0.0.1:${cluster.ports.proxyMetrics}`,
    // Rules in a tenth of a second after a change, not at the next tick.
    'iptables-min-sync-period': '100ms',
    // Connection tracking belongs to the host: leave its size as it is.
    'conntrack-max-per-core': 0,
    'conntrack-tcp-timeout-established': '0s',
    'conntrack-tcp-timeout-close-wait': '0s',
  };
}

const flagsOf: Readonly<Record<StaticComponent, (inputs: ControlPlaneInputs) => Flags>> = {
  etcd,
  'kube-apiserver': apiServer,
  'kube-controller-manager': controllerManager,
  'kube-scheduler': scheduler,
  'kube-proxy': proxy,
};

/** A component's flags for the release's version, sorted. Pure. Sources: each `cmd/<component>/app/options` of 1.17–1.20. */
export function componentFlags(component: StaticComponent, inputs: ControlPlaneInputs): string[] {
  return renderFlags(component === 'etcd' ? '' : inputs.release.version, flagsOf[component](inputs));
}
