import { systemClock } from '../../src/base/clock.js';
import { issueAuthority, issueLeaf, openAuthority } from '../../src/pki/issue-certificate.js';
import type { AuthoritySpec, Identity, LeafSpec } from '../../src/pki/types.js';

const dayMs = 24 * 3600 * 1000;

/** An authority, a server's certificate for the loopback addresses and a client's, made new in memory. */
export interface FakeCertificates {
  readonly authority: Identity;
  readonly server: Identity;
  readonly client: Identity;
}

export function authoritySpec(commonName = 'fake-ca'): AuthoritySpec {
  return { kind: 'authority', name: 'ca', path: 'ca', commonName, validityMs: dayMs };
}

export function leafSpec(changes: Partial<LeafSpec>): LeafSpec {
  return {
    kind: 'leaf',
    name: 'apiserver',
    path: 'apiserver',
    issuer: 'ca',
    commonName: 'fake',
    organizations: [],
    usages: ['server'],
    dnsNames: [],
    ipAddresses: [],
    validityMs: dayMs,
    ...changes,
  };
}

export async function makeFakeCertificates(): Promise<FakeCertificates> {
  const now = systemClock.now();
  const authority = await issueAuthority(authoritySpec(), now);
  const signer = await openAuthority(authority);
  const server = leafSpec({ dnsNames: ['localhost', 'kubernetes'], ipAddresses: ['127.0.0.1', '::1'] });
  return {
    authority,
    server: await issueLeaf(server, signer, now),
    client: await issueLeaf(leafSpec({ commonName: 'tester', usages: ['client'] }), signer, now),
  };
}
