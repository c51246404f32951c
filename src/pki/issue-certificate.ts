import { createPrivateKey, createPublicKey, KeyObject, webcrypto } from 'node:crypto';
import type { Extension, X509Certificate as IssuedX509, Name } from '@peculiar/x509';
import { HyperupError } from '../base/errors.js';
import type { AuthoritySpec, Identity, LeafSpec } from './types.js';

/**
 * How far a certificate's notBefore lies before the moment it is made. A machine whose clock ran in local time is up to
 * 14 hours ahead until NTP puts it right; without this every certificate made before would then be "not yet valid".
 */
export const backdateMs = 24 * 3600 * 1000;

const ecdsaP256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * The library takes 200 ms to load, so only a run that really issues something pays for it. Who knows that it will can
 * begin early, while something else is waited for.
 */
export async function loadX509() {
  // Its dependency container insists on this polyfill being there first.
  await import('reflect-metadata');
  return await import('@peculiar/x509');
}

/** A new ECDSA P-256 key as PKCS#8 PEM and its public half as SPKI PEM. */
export async function generateKeyPair(): Promise<{ readonly keyPem: string; readonly publicPem: string }> {
  const pair = await webcrypto.subtle.generateKey(ecdsaP256, true, ['sign', 'verify']);
  return { keyPem: privatePem(pair.privateKey), publicPem: publicPem(pair.publicKey) };
}

/**
 * Makes a self-signed authority. With `keyPem` it certifies that key again, which leaves everything that the key signed
 * valid; otherwise the key is new.
 */
export async function issueAuthority(spec: AuthoritySpec, nowMs: number, keyPem?: string): Promise<Identity> {
  const x509 = await loadX509();
  const key = await importSigningKey(keyPem ?? (await generateKeyPair()).keyPem);
  const subject = [{ CN: [spec.commonName] }];
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: subject,
    publicKey: key.publicKey,
    signingKey: key.privateKey,
    signingAlgorithm: key.algorithm,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + spec.validityMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(key.publicKey),
    ],
  });
  return { certPem: certificatePem(certificate), keyPem: privatePem(key.privateKey) };
}

/** An authority whose key was read, ready to sign any number of certificates. Holds the key: never log it. */
export interface SigningAuthority {
  readonly signer: SigningKey;
  readonly subjectName: Name;
  readonly notAfterMs: number;
  readonly keyIdentifier: Extension;
}

/** Reads an authority's certificate and key once, which takes as long as signing does. */
export async function openAuthority(authority: Identity): Promise<SigningAuthority> {
  const x509 = await loadX509();
  const certificate = new x509.X509Certificate(authority.certPem);
  const { AuthorityKeyIdentifierExtension } = x509;
  // An authority that we did not make may have derived its identifier in another way than ours.
  const keyId = certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  return {
    signer: await importSigningKey(authority.keyPem),
    subjectName: certificate.subjectName,
    notAfterMs: certificate.notAfter.getTime(),
    keyIdentifier:
      keyId === undefined
        ? await AuthorityKeyIdentifierExtension.create(certificate.publicKey)
        : new AuthorityKeyIdentifierExtension(keyId),
  };
}

/** Signs a certificate for a new key. It never outlives the authority's own certificate. */
export async function issueLeaf(spec: LeafSpec, authority: SigningAuthority, nowMs: number): Promise<Identity> {
  const x509 = await loadX509();
  const { signer } = authority;
  const pair = await webcrypto.subtle.generateKey(ecdsaP256, true, ['sign', 'verify']);
  const names = [
    ...spec.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...spec.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  const usages = spec.usages.map((usage) =>
    usage === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
  );
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [...spec.organizations.map((organization) => ({ O: [organization] })), { CN: [spec.commonName] }],
    issuer: authority.subjectName,
    publicKey: pair.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: signer.algorithm,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(Math.min(nowMs + spec.validityMs, authority.notAfterMs)),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      authority.keyIdentifier,
      await x509.SubjectKeyIdentifierExtension.create(pair.publicKey),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return { certPem: certificatePem(certificate), keyPem: privatePem(pair.privateKey) };
}

function certificatePem(certificate: IssuedX509): string {
  return `${certificate.toString('pem').trim()}\n`;
}

function privatePem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

function publicPem(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'spki', format: 'pem' }).toString();
}

interface SigningKey {
  readonly privateKey: webcrypto.CryptoKey;
  readonly publicKey: webcrypto.CryptoKey;
  readonly algorithm: { readonly name: string; readonly hash: string; readonly namedCurve?: string };
}

/** An authority that somebody brought along may have an RSA key or another curve; ours are P-256. */
async function importSigningKey(keyPem: string): Promise<SigningKey> {
  const key = createPrivateKey(keyPem);
  const algorithm = signingAlgorithm(key);
  const format = { type: 'pkcs8', format: 'der' } as const;
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.importKey('pkcs8', key.export(format), algorithm, true, ['sign']),
    webcrypto.subtle.importKey('spki', createPublicKey(key).export({ type: 'spki', format: 'der' }), algorithm, true, [
      'verify',
    ]),
  ]);
  return { privateKey, publicKey, algorithm };
}

function signingAlgorithm(key: KeyObject): SigningKey['algorithm'] {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1') return ecdsaP256;
  if (curve === 'secp384r1') return { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  if (curve === 'secp521r1') return { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' };
  throw new HyperupError(
    'InvalidConfig',
    `sign certificate: got an authority key of type ${key.asymmetricKeyType} ${curve ?? ''}, want RSA or ECDSA`,
  );
}
