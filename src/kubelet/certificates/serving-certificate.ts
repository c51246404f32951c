import { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { readTextIfPresent, writeAtomic } from '../../base/files.js';
import type { Logger } from '../../base/logger.js';
import { makeFolder } from '../../base/make-folder.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import { makeSelfSigned, renewalMs } from './key-and-request.js';
import { obtainCertificate } from './signed-certificate.js';

export interface ServingIdentity {
  readonly certPem: string;
  /** Never log it. */
  readonly keyPem: string;
}

export interface ServingCertificateOptions {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly certDir: string;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * What to serve with: the files that were named, once they are there, or `kubelet.crt` and `kubelet.key` in the folder of
 * certificates, made (self-signed) where absent or about to end.
 */
export async function readServingIdentity(options: ServingCertificateOptions): Promise<ServingIdentity> {
  const { certFile, keyFile, certDir, clock } = options;
  if (certFile !== undefined && keyFile !== undefined) return await waitForFiles(options, certFile, keyFile);
  const paths = { cert: join(certDir, 'kubelet.crt'), key: join(certDir, 'kubelet.key') };
  const [certPem, keyPem] = await Promise.all([readTextIfPresent(paths.cert), readTextIfPresent(paths.key)]);
  if (certPem !== undefined && keyPem !== undefined && isFresh(certPem, clock.now())) return { certPem, keyPem };
  const made = await makeSelfSigned(
    { commonName: options.nodeName, dnsNames: namesOf(options), ipAddresses: [...options.nodeIps, '127.0.0.1'] },
    clock.now(),
  );
  await makeFolder(certDir, 0o700);
  await writeAtomic(paths.key, made.keyPem, 0o600);
  await writeAtomic(paths.cert, made.certPem, 0o644);
  return made;
}

function isFresh(certPem: string, nowMs: number): boolean {
  try {
    return Date.parse(new X509Certificate(certPem).validTo) - nowMs > 24 * 3_600_000;
  } catch {
    return false;
  }
}

async function waitForFiles(
  { clock, logger, signal }: ServingCertificateOptions,
  certFile: string,
  keyFile: string,
): Promise<ServingIdentity> {
  for (let waitMs = 50, isSaid = false; ; waitMs = Math.min(waitMs * 1.5, 5000)) {
    const [certPem, keyPem] = await Promise.all([readTextIfPresent(certFile), readTextIfPresent(keyFile)]);
    if (certPem !== undefined && keyPem !== undefined) return { certPem, keyPem };
    if (!isSaid) logger.info('Serving certificate is not there yet', { path: certFile });
    isSaid = true;
    await clock.sleep(waitMs, signal);
  }
}

function namesOf({ nodeName }: ServingCertificateOptions): readonly string[] {
  return [...new Set([nodeName, hostname(), 'localhost'])];
}

/**
 * Has the serving certificate signed by the cluster and renewed before it ends, until the signal fires (serverTLSBootstrap). Each
 * new one goes to `onIdentity`. Somebody has to approve the requests.
 */
export async function keepSignedIdentity(
  options: ServingCertificateOptions & {
    readonly client: Pick<KubeClient, 'create' | 'get'>;
    readonly random: () => number;
    readonly onIdentity: (identity: ServingIdentity) => void;
  },
): Promise<void> {
  const { clock, logger, signal, random } = options;
  let renewAtMs = 0;
  while (!signal.aborted) {
    const waitMs = renewAtMs - clock.now();
    if (waitMs > 0) {
      await clock.sleep(Math.min(waitMs, 3_600_000), signal).catch(() => {});
      continue;
    }
    try {
      const identity = await obtainCertificate({
        client: options.client,
        clock,
        signerName: 'kubernetes.io/kubelet-serving',
        subject: {
          commonName: `system:node:${options.nodeName}`,
          organization: 'system:nodes',
          dnsNames: [options.nodeName],
          ipAddresses: options.nodeIps,
        },
        timeoutMs: 900_000,
        signal,
      });
      options.onIdentity(identity);
      renewAtMs = renewalMs(identity.certPem, random());
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('Serving certificate not signed', { err: messageOf(error) });
      await clock.sleep(60_000 * (1 + random()), signal).catch(() => {});
    }
  }
}
