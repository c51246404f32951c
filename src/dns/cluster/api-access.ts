import type { Clock } from '../../base/clock.js';
import { HyperupError } from '../../base/errors.js';
import { readTextIfPresent } from '../../base/files.js';
import { type Environment, environmentValue } from '../../config/environment.js';
import type { KubeClientOptions } from '../../kube/kube-client-types.js';
import { readClientOptions } from '../../kube/kubeconfig-client.js';

/** Where every pod finds its service account (client-go `rest.InClusterConfig`). */
const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Tokens are renewed in their file long before they end. */
const tokenAgeMs = 60_000;

export interface ApiAccessOptions {
  /** The service account of this pod where undefined. */
  readonly kubeconfig: string | undefined;
  readonly env: Environment;
  readonly clock: Clock;
  /** For tests. */
  readonly folder?: string | undefined;
}

/** How to reach the API server: by a kubeconfig, or as a pod does. Throws `NotFound`, `InvalidConfig`. */
export async function readApiAccess(options: ApiAccessOptions): Promise<KubeClientOptions> {
  const { kubeconfig, env, clock, folder = serviceAccountFolder } = options;
  if (kubeconfig !== undefined) return await readClientOptions(kubeconfig);
  const host = environmentValue(env, 'KUBERNETES_SERVICE_HOST');
  const port = environmentValue(env, 'KUBERNETES_SERVICE_PORT') ?? '443';
  if (host === undefined) {
    throw new HyperupError(
      'InvalidConfig',
      'find the API server: got neither --kubeconfig nor KUBERNETES_SERVICE_HOST',
      {
        hint: 'Name a kubeconfig with --kubeconfig, or run it in a pod of the cluster.',
      },
    );
  }
  const caPem = await read(`${folder}/ca.crt`);
  let token = { text: (await read(`${folder}/token`)).trim(), readMs: clock.monotonicMs() };
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    caPem,
    clock,
    async token() {
      if (clock.monotonicMs() - token.readMs >= tokenAgeMs) {
        const text = (await readTextIfPresent(`${folder}/token`))?.trim() ?? '';
        token = { text: text === '' ? token.text : text, readMs: clock.monotonicMs() };
      }
      return token.text;
    },
  };
}

async function read(path: string): Promise<string> {
  const text = await readTextIfPresent(path);
  if (text === undefined) {
    throw new HyperupError('NotFound', `read the pod's service account: ${path} does not exist`, {
      hint: 'Let the pod have its token (automountServiceAccountToken), or name a kubeconfig.',
    });
  }
  return text;
}
