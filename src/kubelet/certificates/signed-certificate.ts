import type { Clock } from '../../base/clock.js';
import { HyperupError } from '../../base/errors.js';
import { waitFor } from '../../base/wait.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1CertificateSigningRequest } from '../../kube/kubelet-objects.js';
import { resources } from '../../kube/resource-ref.js';
import { makeRequest, type RequestSubject } from './key-and-request.js';

export interface SigningOptions {
  readonly client: Pick<KubeClient, 'create' | 'get'>;
  readonly clock: Clock;
  readonly signerName: 'kubernetes.io/kube-apiserver-client-kubelet' | 'kubernetes.io/kubelet-serving';
  readonly subject: RequestSubject;
  /** How long approval may take, milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks the API server for a certificate and waits until somebody has approved the request. Throws `Unhealthy` where it
 * was denied or couldn't be signed, `Timeout`, `Aborted` (v1.20 `client-go/util/certificate/csr`).
 */
export async function obtainCertificate(
  options: SigningOptions,
): Promise<{ readonly certPem: string; readonly keyPem: string }> {
  const { client, clock, signerName, subject, signal } = options;
  const { request, keyPem } = await makeRequest(subject);
  const forServing = signerName.endsWith('kubelet-serving');
  const created = await client.create(resources.certificateSigningRequests, {
    metadata: { generateName: 'csr-' },
    spec: {
      request: Buffer.from(request).toString('base64'),
      signerName,
      usages: ['digital signature', 'key encipherment', forServing ? 'server auth' : 'client auth'],
    },
  });
  const name = created.metadata?.name ?? '';
  const certPem = await waitFor(
    `certificate signing request ${name}`,
    async () => {
      const found = await client.get(resources.certificateSigningRequests, { name }, { signal });
      assertNotRefused(found, name);
      const certificate = found.status?.certificate;
      if (certificate) return { done: true, value: Buffer.from(certificate, 'base64').toString('utf8') };
      return { done: false, reason: 'not approved yet' };
    },
    { clock, timeoutMs: options.timeoutMs, intervalMs: 500, signal },
  );
  return { certPem, keyPem };
}

function assertNotRefused({ status }: V1CertificateSigningRequest, name: string): void {
  for (const { type, reason, message } of status?.conditions ?? []) {
    if (type !== 'Denied' && type !== 'Failed') continue;
    const why = [reason, message].filter(Boolean).join(': ');
    // A code that ends the wait.
    throw new HyperupError('Unhealthy', `certificate signing request ${name}: ${type.toLowerCase()}: ${why}`);
  }
}
