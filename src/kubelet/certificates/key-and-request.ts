import { KeyObject, webcrypto, X509Certificate } from 'node:crypto';

const ecdsaP256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Loaded late: most kubelets are given their certificates, and the library takes time and memory. */
async function loadX509() {
  // Its dependency container insists on this polyfill being there first.
  await import('reflect-metadata');
  return await import('@peculiar/x509');
}

export interface CertificateRequest {
  /** PEM. */
  readonly request: string;
  /** PKCS#8 PEM. Never log it. */
  readonly keyPem: string;
}

export interface RequestSubject {
  readonly commonName: string;
  readonly organization: string;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

/** A new ECDSA P-256 key and a PKCS#10 request for it. */
export async function makeRequest(subject: RequestSubject): Promise<CertificateRequest> {
  const x509 = await loadX509();
  const pair = await webcrypto.subtle.generateKey(ecdsaP256, true, ['sign', 'verify']);
  const names = alternativeNames(subject);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ O: [subject.organization] }, { CN: [subject.commonName] }],
    keys: pair,
    signingAlgorithm: ecdsaP256,
    extensions: names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : [],
  });
  return { request: `${request.toString('pem').trim()}\n`, keyPem: privatePem(pair.privateKey) };
}

/** A self-signed serving certificate, which the API server takes unless it was told an authority for kubelets. */
export async function makeSelfSigned(
  subject: Omit<RequestSubject, 'organization'>,
  nowMs: number,
): Promise<{ readonly certPem: string; readonly keyPem: string }> {
  const x509 = await loadX509();
  const pair = await webcrypto.subtle.generateKey(ecdsaP256, true, ['sign', 'verify']);
  const name = [{ CN: [`${subject.commonName}@${Math.floor(nowMs / 1000)}`] }];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: name,
    publicKey: pair.publicKey,
    signingKey: pair.privateKey,
    signingAlgorithm: ecdsaP256,
    // A clock that was ahead when this was made must not leave it unusable once it is put right.
    notBefore: new Date(nowMs - 24 * 3_600_000),
    notAfter: new Date(nowMs + 365 * 24 * 3_600_000),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(alternativeNames(subject)),
    ],
  });
  return { certPem: `${certificate.toString('pem').trim()}\n`, keyPem: privatePem(pair.privateKey) };
}

function alternativeNames({ dnsNames = [], ipAddresses = [] }: Omit<RequestSubject, 'organization'>) {
  return [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
}

function privatePem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** When to ask for the next one: between 70 and 90 % of its life, `random` from 0 to 1 (v1.20 `certificate_manager.go`). */
export function renewalMs(certPem: string, random: number): number {
  const { validFrom, validTo } = new X509Certificate(certPem);
  const from = Date.parse(validFrom);
  return from + (Date.parse(validTo) - from) * (0.7 + 0.2 * random);
}
