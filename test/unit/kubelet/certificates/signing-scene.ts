import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import { Pkcs10CertificateRequest, X509CertificateGenerator } from '@peculiar/x509';
import { HyperupError } from '../../../../src/base/errors.js';
import type { KubeClient } from '../../../../src/kube/kube-client-types.js';
import type { V1CertificateSigningRequest } from '../../../../src/kube/kubelet-objects.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Signer {
  /** What was asked for, oldest first. */
  readonly asked: V1CertificateSigningRequest[];
  readonly client: KubeClient;
  /** How many of the clients were closed. */
  closed: number;
  /** Looks until the next one is signed; negative: never. */
  looks: number;
  refusal: { readonly type: string; readonly reason: string; readonly message: string } | undefined;
  down: boolean;
  /** A certificate of that name, as the cluster's authority gives them. */
  issue(name: string, fromMs: number, toMs: number): Promise<{ certPem: string; keyPem: string }>;
}

/** An API server that signs what it is asked for, valid from `nowMs()` for `lifeMs`. */
export async function makeSigner(nowMs: () => number, lifeMs: number): Promise<Signer> {
  const authority = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const sign = async (subject: string, publicKey: webcrypto.CryptoKey, fromMs: number, toMs: number) => {
    const certificate = await X509CertificateGenerator.create({
      subject,
      issuer: 'CN=kubernetes',
      publicKey,
      signingKey: authority.privateKey,
      signingAlgorithm: algorithm,
      notBefore: new Date(fromMs),
      notAfter: new Date(toMs),
    });
    return `${certificate.toString('pem')}\n`;
  };
  let left = 0;
  const client: Pick<KubeClient, 'create' | 'get' | 'close'> = {
    async create(_ref, object) {
      if (signer.down) throw new HyperupError('ApiFailed', 'connection refused');
      const named = { ...object, metadata: { name: `csr-${signer.asked.length + 1}` } };
      signer.asked.push(named as unknown as V1CertificateSigningRequest);
      left = signer.looks;
      return named;
    },
    async get<T>() {
      const request = signer.asked.at(-1);
      if (!request) throw new HyperupError('NotFound', 'no request');
      if (signer.refusal) return { ...request, status: { conditions: [signer.refusal] } } as T;
      if (left !== 0) {
        left -= 1;
        return request as T;
      }
      const csr = new Pkcs10CertificateRequest(Buffer.from(request.spec.request, 'base64').toString());
      const certPem = await sign(csr.subject, await csr.publicKey.export(), nowMs(), nowMs() + lifeMs);
      return { ...request, status: { certificate: Buffer.from(certPem).toString('base64') } } as T;
    },
    async close() {
      signer.closed += 1;
    },
  };
  const signer: Signer = {
    asked: [],
    client: client as KubeClient,
    closed: 0,
    looks: 0,
    refusal: undefined,
    down: false,
    async issue(name, fromMs, toMs) {
      const pair = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64');
      return {
        certPem: await sign(`O=system:nodes, CN=${name}`, pair.publicKey, fromMs, toMs),
        keyPem: `-----BEGIN PRIVATE KEY-----\n${key.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
      };
    },
  };
  return signer;
}
