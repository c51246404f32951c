import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { pathExists, writeAtomic } from '../../base/files.js';
import type { Logger } from '../../base/logger.js';
import { createKubeClient } from '../../kube/kube-client.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import { readClientOptions } from '../../kube/kubeconfig-client.js';
import { dumpKubeconfigYaml } from '../../kube/kubeconfig-yaml.js';
import { renewalMs } from './key-and-request.js';
import { obtainCertificate } from './signed-certificate.js';

export interface ClientCredentialsOptions {
  readonly kubeconfigPath: string;
  readonly bootstrapKubeconfigPath: string | undefined;
  readonly certDir: string;
  readonly nodeName: string;
  readonly rotate: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** A client with the newest credentials; the former one is closed by whoever got it. */
  readonly onClient: (client: KubeClient) => void;
}

/**
 * Sees to it that there are credentials: those of the kubeconfig, or ones that the bootstrap kubeconfig obtains, renewed
 * before they end. A kubeconfig that isn't there yet is waited for. Runs until the signal fires.
 */
export async function keepClientCredentials(options: ClientCredentialsOptions): Promise<void> {
  const { kubeconfigPath, clock, logger, signal, random } = options;
  if (!(await pathExists(kubeconfigPath))) await bringAbout(options);
  let certPem = await useKubeconfig(options);
  while (options.rotate && certPem !== undefined && !signal.aborted) {
    const waitMs = renewalMs(certPem, random()) - clock.now();
    // Timers hold 24 days; looking each hour also bears with a clock that jumps.
    if (waitMs > 0) {
      await clock.sleep(Math.min(waitMs, 3_600_000), signal).catch(() => {});
      continue;
    }
    try {
      const client = createKubeClient(await readClientOptions(kubeconfigPath));
      try {
        await obtain(options, client);
      } finally {
        await client.close();
      }
      certPem = await useKubeconfig(options);
      logger.info('Client certificate renewed');
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('Client certificate not renewed', { err: messageOf(error) });
      await clock.sleep(60_000 * (1 + random()), signal).catch(() => {});
    }
  }
}

async function bringAbout(options: ClientCredentialsOptions): Promise<void> {
  const { kubeconfigPath, bootstrapKubeconfigPath, clock, logger, signal } = options;
  logger.info('Kubeconfig is not there yet', { path: kubeconfigPath });
  for (let waitMs = 50; !signal.aborted; waitMs = Math.min(waitMs * 1.5, 5000)) {
    if (await pathExists(kubeconfigPath)) return;
    if (bootstrapKubeconfigPath !== undefined && (await pathExists(bootstrapKubeconfigPath))) {
      try {
        await bootstrap(options, bootstrapKubeconfigPath);
        return;
      } catch (error) {
        logger.warn('No client certificate yet', { err: messageOf(error) });
      }
    }
    await clock.sleep(waitMs, signal).catch(() => {});
  }
}

/** Gives the client certificate's PEM where the kubeconfig has one. */
async function useKubeconfig({ kubeconfigPath, onClient }: ClientCredentialsOptions): Promise<string | undefined> {
  const client = await readClientOptions(kubeconfigPath);
  onClient(createKubeClient(client));
  return client.clientCertPem;
}

function certificatePath({ certDir }: ClientCredentialsOptions): string {
  return join(certDir, 'kubelet-client-current.pem');
}

async function obtain(options: ClientCredentialsOptions, client: KubeClient): Promise<void> {
  const { clock, nodeName, signal } = options;
  const { certPem, keyPem } = await obtainCertificate({
    client,
    clock,
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    subject: { commonName: `system:node:${nodeName}`, organization: 'system:nodes' },
    timeoutMs: 900_000,
    signal,
  });
  await mkdir(options.certDir, { recursive: true, mode: 0o700 });
  await writeAtomic(certificatePath(options), `${certPem.trim()}\n${keyPem}`, 0o600);
}

/** Certificate by the bootstrap credentials, then a kubeconfig that names its file. */
async function bootstrap(options: ClientCredentialsOptions, path: string): Promise<void> {
  const from = await readClientOptions(path);
  const client = createKubeClient(from);
  try {
    await obtain(options, client);
  } finally {
    await client.close();
  }
  const certificate = certificatePath(options);
  const name = 'default';
  const text = dumpKubeconfigYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: {
          server: from.server,
          'certificate-authority-data': Buffer.from(from.caPem).toString('base64'),
        },
      },
    ],
    users: [{ name, user: { 'client-certificate': certificate, 'client-key': certificate } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
  await mkdir(dirname(options.kubeconfigPath), { recursive: true });
  await writeAtomic(options.kubeconfigPath, text, 0o600);
  await chmod(options.kubeconfigPath, 0o600);
  options.logger.info('Client certificate obtained', { path: certificate });
}
