import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { canonicalAddress } from '../base/cidr.js';
import type { CertificateUsage } from './types.js';

/** What a certificate says, in comparable form. */
export interface CertificateFacts {
  readonly certificate: X509Certificate;
  readonly commonName: string;
  /** Sorted. */
  readonly organizations: readonly string[];
  /** Lower case, sorted. */
  readonly dnsNames: readonly string[];
  /** Canonical text, sorted. */
  readonly ipAddresses: readonly string[];
  readonly usages: readonly CertificateUsage[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const usageOids: Readonly<Record<string, CertificateUsage>> = {
  '1.3.6.1.5.5.7.3.1': 'server',
  '1.3.6.1.5.5.7.3.2': 'client',
};

/** Reads the first certificate of a PEM text; undefined where there is none that can be read. */
export function inspectCertificate(pem: string): CertificateFacts | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    return undefined;
  }
  const subject = distinguishedName(certificate.subject);
  // Node types these two as string, but gives undefined where the extension is absent.
  const names = (certificate.subjectAltName as string | undefined)?.split(', ') ?? [];
  const oids = (certificate.keyUsage as string[] | undefined) ?? [];
  const valuesOf = (prefix: string) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return {
    certificate,
    commonName: subject.get('CN')?.[0] ?? '',
    organizations: [...(subject.get('O') ?? [])].sort(),
    dnsNames: valuesOf('DNS:')
      .map((name) => name.toLowerCase())
      .sort(),
    ipAddresses: valuesOf('IP Address:')
      .map((text) => canonicalAddress(text) ?? text)
      .sort(),
    usages: oids.flatMap((oid) => usageOids[oid] ?? []).sort(),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
  };
}

/** Node prints one attribute a line, `O=system:masters`; a plus joins several of one RDN, which nobody here makes. */
function distinguishedName(text: string): Map<string, string[]> {
  const attributes = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const key = line.slice(0, equals);
    attributes.set(key, [...(attributes.get(key) ?? []), line.slice(equals + 1)]);
  }
  return attributes;
}

/** The private key of a PEM text; undefined where it can't be read. */
export function readPrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** True where the PEM public key belongs to the private one. */
export function isPublicHalf(publicPem: string, privateKey: KeyObject): boolean {
  try {
    return createPublicKey(publicPem).equals(createPublicKey(privateKey));
  } catch {
    return false;
  }
}

/** The public half of a private key, both PEM. */
export function publicHalf(keyPem: string): string {
  return createPublicKey(keyPem).export({ type: 'spki', format: 'pem' }).toString();
}
