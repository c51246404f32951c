import { canonicalAddress, nthAddress } from '../base/cidr.js';
import { HyperupError } from '../base/errors.js';
import type { AuthoritySpec, CertificateRequestSpec, LeafSpec } from './types.js';

const yearMs = 365 * 24 * 3600 * 1000;

export interface PkiOptions {
  readonly nodeName: string;
  /** The machine's own name, where it differs from the node's. */
  readonly hostName?: string | undefined;
  /** Addresses that clients and the API server reach the node at. */
  readonly nodeAddresses: readonly string[];
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  /** More names or addresses for the API server's certificate. */
  readonly extraSans: readonly string[];
  /** Default 20 years. */
  readonly authorityValidityMs?: number | undefined;
  /** Default 10 years: nobody renews a certificate in a closed network. */
  readonly leafValidityMs?: number | undefined;
}

/**
 * Every key and certificate of a single-node cluster, in kubeadm's file layout (v1.20 `phases/certs/certlist.go`), plus
 * the client identities that kubeadm writes into kubeconfigs. Pure; authorities come before what they sign.
 * Throws `InvalidConfig` naming every subject alternative name that is neither an address nor a DNS name.
 */
export function planPki(options: PkiOptions): readonly CertificateRequestSpec[] {
  const authorityValidityMs = options.authorityValidityMs ?? 20 * yearMs;
  const validityMs = options.leafValidityMs ?? 10 * yearMs;
  const node = options.nodeName;
  const local = ['localhost', '127.0.0.1', '::1'];
  const nodeNames = [node, ...(options.hostName === undefined ? [] : [options.hostName]), ...options.nodeAddresses];
  const apiNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const apiServerNames = subjectAlternativeNames([
    ...apiNames,
    `kubernetes.default.svc.${options.clusterDomain}`,
    nthAddress(options.serviceCidr, 1),
    ...local,
    ...nodeNames,
    ...options.extraSans,
  ]);
  const nodeServer = subjectAlternativeNames([...local, ...nodeNames]);
  const localServer = subjectAlternativeNames([...local, node]);
  const none = { dnsNames: [], ipAddresses: [] };

  const authority = (name: AuthoritySpec['name'], path: string, commonName: string): AuthoritySpec => ({
    kind: 'authority',
    name,
    path,
    commonName,
    validityMs: authorityValidityMs,
  });
  const leaf = (
    spec: Pick<LeafSpec, 'name' | 'commonName' | 'usages'> &
      Partial<Pick<LeafSpec, 'path' | 'issuer' | 'organizations' | 'dnsNames' | 'ipAddresses'>>,
  ): LeafSpec => ({ kind: 'leaf', path: spec.name, issuer: 'ca', organizations: [], ...none, validityMs, ...spec });

  const masters = ['system:masters'];
  return [
    authority('ca', 'ca', 'kubernetes-ca'),
    authority('etcd-ca', 'etcd/ca', 'etcd-ca'),
    authority('front-proxy-ca', 'front-proxy-ca', 'front-proxy-ca'),
    { kind: 'keyPair', name: 'sa', path: 'sa' },
    leaf({ name: 'apiserver', commonName: 'kube-apiserver', usages: ['server'], ...apiServerNames }),
    leaf({
      name: 'apiserver-kubelet-client',
      commonName: 'kube-apiserver-kubelet-client',
      organizations: masters,
      usages: ['client'],
    }),
    leaf({
      name: 'apiserver-etcd-client',
      issuer: 'etcd-ca',
      commonName: 'kube-apiserver-etcd-client',
      usages: ['client'],
    }),
    leaf({
      name: 'front-proxy-client',
      issuer: 'front-proxy-ca',
      commonName: 'front-proxy-client',
      usages: ['client'],
    }),
    // etcd's gRPC gateway calls etcd itself with the server certificate, so it needs both usages (etcd issue 9785).
    leaf({
      name: 'etcd-server',
      path: 'etcd/server',
      issuer: 'etcd-ca',
      commonName: node,
      usages: ['server', 'client'],
      ...nodeServer,
    }),
    leaf({
      name: 'etcd-peer',
      path: 'etcd/peer',
      issuer: 'etcd-ca',
      commonName: node,
      usages: ['server', 'client'],
      ...nodeServer,
    }),
    leaf({
      name: 'etcd-healthcheck-client',
      path: 'etcd/healthcheck-client',
      issuer: 'etcd-ca',
      commonName: 'kube-etcd-healthcheck-client',
      usages: ['client'],
    }),
    leaf({
      name: 'kubelet',
      commonName: `system:node:${node}`,
      organizations: ['system:nodes'],
      usages: ['server'],
      ...nodeServer,
    }),
    leaf({
      name: 'kubelet-client',
      commonName: `system:node:${node}`,
      organizations: ['system:nodes'],
      usages: ['client'],
    }),
    leaf({ name: 'admin', commonName: 'kubernetes-admin', organizations: masters, usages: ['client'] }),
    // These two also serve their health endpoint with it; without one each would make up a certificate nobody can check.
    leaf({
      name: 'controller-manager',
      commonName: 'system:kube-controller-manager',
      usages: ['server', 'client'],
      ...localServer,
    }),
    leaf({ name: 'scheduler', commonName: 'system:kube-scheduler', usages: ['server', 'client'], ...localServer }),
    leaf({ name: 'kube-proxy', commonName: 'system:kube-proxy', usages: ['client'] }),
    // The group may read /healthz, /livez, /readyz and /metrics and nothing else (v1.20 bootstrappolicy/policy.go).
    leaf({
      name: 'hyperup-health',
      commonName: 'hyperup-health',
      organizations: ['system:monitoring'],
      usages: ['client'],
    }),
  ];
}

/** Names sorted into addresses and DNS names, canonical, sorted, unique. Throws `InvalidConfig` naming every bad one. */
export function subjectAlternativeNames(names: readonly string[]): Pick<LeafSpec, 'dnsNames' | 'ipAddresses'> {
  const dns = new Set<string>();
  const addresses = new Set<string>();
  const bad: string[] = [];
  for (const name of names) {
    const address = canonicalAddress(name);
    const lower = name.toLowerCase();
    if (address !== undefined) addresses.add(address);
    else if (isDnsName(lower)) dns.add(lower);
    else bad.push(JSON.stringify(name));
  }
  if (bad.length > 0) {
    throw new HyperupError(
      'InvalidConfig',
      `plan certificates: got the subject alternative name ${bad.join(', ')}, want IP addresses or DNS names`,
      { details: { names: bad } },
    );
  }
  return { dnsNames: [...dns].sort(), ipAddresses: [...addresses].sort() };
}

/** RFC 1123 labels, with underscores (host names in the wild have them) and a wildcard as the first label. */
function isDnsName(name: string): boolean {
  if (name.length > 253 || /^[\d.]+$/.test(name)) return false;
  return /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(name);
}
