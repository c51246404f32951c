import { dirname, resolve } from 'node:path';
import { HyperupError } from '../base/errors.js';
import { readTextIfPresent } from '../base/files.js';
import type { KubeClientOptions } from './kube-client-types.js';
import { parseKubeconfig } from './kubeconfig.js';

/**
 * What a client of a kubeconfig's context needs: the current one, or that of the name given. Files that it names are
 * read, relative to its own folder. Throws `NotFound` (no file, no such context or entry), `InvalidConfig`.
 */
export async function readClientOptions(path: string, contextName?: string): Promise<KubeClientOptions> {
  const text = await readTextIfPresent(path);
  if (text === undefined) throw new HyperupError('NotFound', `read kubeconfig ${path}: it does not exist`);
  const config = parseKubeconfig(text, path);
  const name = contextName ?? config['current-context'];
  const found = <T>(entry: T | undefined, what: string): T => {
    if (entry === undefined) throw new HyperupError('NotFound', `read kubeconfig ${path}: there is no ${what}`);
    return entry;
  };
  const { context } = found(
    (config.contexts ?? []).find((entry) => entry.name === name),
    name ? `context ${name}` : 'current-context',
  );
  const { cluster } = found(
    (config.clusters ?? []).find((entry) => entry.name === context.cluster),
    `cluster ${context.cluster}`,
  );
  const { user } = found(
    (config.users ?? []).find((entry) => entry.name === context.user),
    `user ${context.user}`,
  );
  const pem = async (data: string | undefined, file: string | undefined) => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return file === undefined
      ? undefined
      : found(await readTextIfPresent(resolve(dirname(path), file)), `file ${file}`);
  };
  return {
    server: found(cluster.server, `server in cluster ${context.cluster}`),
    caPem: found(
      await pem(cluster['certificate-authority-data'], cluster['certificate-authority']),
      `certificate authority in cluster ${context.cluster}`,
    ),
    clientCertPem: await pem(user['client-certificate-data'], user['client-certificate']),
    clientKeyPem: await pem(user['client-key-data'], user['client-key']),
    token: user.token ?? (await pem(undefined, user.tokenFile))?.trim(),
    serverName: cluster['tls-server-name'],
  };
}
