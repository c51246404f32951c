import { X509Certificate } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { pathExists, readTextIfPresent, writeAtomic } from '../../base/files.js';
import type { Logger } from '../../base/logger.js';
import { makeFolder } from '../../base/make-folder.js';
import { createKubeClient } from '../../kube/kube-client.js';
import type { KubeClient, KubeClientOptions } from '../../kube/kube-client-types.js';
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
  /** `createKubeClient` where absent. */
  readonly connect?: ((options: KubeClientOptions) => KubeClient) | undefined;
}

/**
 * Sees to it that there are credentials: those of the kubeconfig, or ones that the bootstrap kubeconfig obtains, renewed
 * before they end. A kubeconfig that isn't there yet is waited for. Runs until the signal fires.
 */
export async function keepClientCredentials(options: ClientCredentialsOptions): Promise<void> {
  const { clock, logger, signal, random, connect = createKubeClient } = options;
  if (!(await pathExists(options.kubeconfigPath))) await bringAbout(options);
  let certPem = await useFirst(options);
  while (options.rotate && certPem !== undefined && !signal.aborted) {
    const waitMs = renewalMs(certPem, random()) - clock.now();
    // Timers hold 24 days; looking each hour also bears with a clock that jumps.
    if (waitMs > 0) {
      await clock.sleep(Math.min(waitMs, 3_600_000), signal).catch(() => {});
      continue;
    }
    try {
      const client = connect(await readNewest(options));
      try {
        await obtain(options, client);
      } finally {
        await client.close();
      }
      const before = certPem;
      certPem = await useKubeconfig(options);
      if (certPem === before) {
        logger.warn('The renewed client certificate is of another subject than the kubeconfig and is not used');
        return;
      }
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

/** As `useKubeconfig`, until the file can be read: whoever writes it may be in the midst of it. */
async function useFirst(options: ClientCredentialsOptions): Promise<string | undefined> {
  const { clock, logger, signal } = options;
  for (let waitMs = 200; !signal.aborted; waitMs = Math.min(waitMs * 2, 5000)) {
    try {
      return await useKubeconfig(options);
    } catch (error) {
      logger.warn('Kubeconfig is of no use yet', { path: options.kubeconfigPath, err: messageOf(error) });
    }
    await clock.sleep(waitMs, signal).catch(() => {});
  }
  return undefined;
}

/** Gives the client certificate's PEM where there is one. */
async function useKubeconfig(options: ClientCredentialsOptions): Promise<string | undefined> {
  const { connect = createKubeClient, onClient } = options;
  const client = await readNewest(options);
  onClient(connect(client));
  return client.clientCertPem;
}

/** The kubeconfig's; of one that contains its certificate the renewed one stands in a file of its own. */
async function readNewest(options: ClientCredentialsOptions): Promise<KubeClientOptions> {
  const given = await readClientOptions(options.kubeconfigPath);
  const renewed = options.rotate ? await readTextIfPresent(certificatePath(options)) : undefined;
  if (renewed === undefined || given.clientCertPem === undefined) return given;
  const [former, newer] = [new X509Certificate(given.clientCertPem), new X509Certificate(renewed)];
  // A kubeconfig that was made after it is of a newer cluster.
  const isBetter = newer.subject === former.subject && Date.parse(newer.validFrom) > Date.parse(former.validFrom);
  return isBetter ? { ...given, clientCertPem: renewed, clientKeyPem: renewed } : given;
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
  await makeFolder(options.certDir, 0o700);
  await writeAtomic(certificatePath(options), `${certPem.trim()}\n${keyPem}`, 0o600);
}

/** Certificate by the bootstrap credentials, then a kubeconfig that names its file. */
async function bootstrap(options: ClientCredentialsOptions, path: string): Promise<void> {
  const from = await readClientOptions(path);
  const { connect = createKubeClient } = options;
  const client = connect(from);
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
  await makeFolder(dirname(options.kubeconfigPath));
  await writeAtomic(options.kubeconfigPath, text, 0o600);
  await chmod(options.kubeconfigPath, 0o600);
  options.logger.info('Client certificate obtained', { path: certificate });
}
