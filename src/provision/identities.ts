import { join } from 'node:path';
import type { ClusterOptions } from '../config/types.js';
import { createKubeClient } from '../kube/kube-client.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import { readCertificate, readIdentity } from '../pki/pki-files.js';
import type { Identity } from '../pki/types.js';

/** What it takes to ask the components as their administrator. Holds private keys: never log it. */
export interface ClusterIdentities {
  readonly caPem: string;
  readonly etcdCaPem: string;
  readonly admin: Identity;
  readonly health: Identity;
  readonly etcdClient: Identity;
}

export function pkiDir(cluster: Pick<ClusterOptions, 'paths'>): string {
  return join(cluster.paths.configDir, 'pki');
}

/** Reads them from the cluster's PKI folder. Throws `NotFound` or `PermissionDenied` naming the file. */
export async function readIdentities(cluster: ClusterOptions): Promise<ClusterIdentities> {
  const dir = pkiDir(cluster);
  const [caPem, etcdCaPem, admin, health, etcdClient] = await Promise.all([
    readCertificate(dir, 'ca'),
    readCertificate(dir, 'etcd/ca'),
    readIdentity(dir, 'admin'),
    readIdentity(dir, 'hyperup-health'),
    readIdentity(dir, 'etcd/healthcheck-client'),
  ]);
  return { caPem, etcdCaPem, admin, health, etcdClient };
}

/** The URL that local clients use: the node's address, which pods reach too. */
export function serverUrl(cluster: ClusterOptions): string {
  const address = cluster.nodeAddress.includes(':') ? `[${cluster.nodeAddress}]` : cluster.nodeAddress;
  return `https://${address}:${cluster.ports.api}`;
}

/** An administrator's client over loopback; the caller closes it. */
export function adminClient(cluster: ClusterOptions, identities: ClusterIdentities): KubeClient {
  return createKubeClient({
    server: `https://127.0.0.1:${cluster.ports.api}`,
    caPem: identities.caPem,
    clientCertPem: identities.admin.certPem,
    clientKeyPem: identities.admin.keyPem,
    timeoutMs: 10_000,
  });
}
