import { HyperupError, messageOf } from '../base/errors.js';
import { dumpKubeconfigYaml, loadKubeconfigYaml } from './kubeconfig-yaml.js';

export interface KubeconfigOptions {
  /** Names cluster, user and context alike. */
  readonly name: string;
  readonly server: string;
  readonly caPem: string;
  readonly clientCertPem?: string | undefined;
  readonly clientKeyPem?: string | undefined;
  readonly token?: string | undefined;
  readonly namespace?: string | undefined;
}

export interface NamedExtension {
  readonly name: string;
  readonly extension: unknown;
}

export interface KubeconfigCluster {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'tls-server-name'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly extensions?: readonly NamedExtension[];
}

export interface KubeconfigUser {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly extensions?: readonly NamedExtension[];
}

export interface KubeconfigContext {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly extensions?: readonly NamedExtension[];
}

export interface NamedCluster {
  readonly name: string;
  readonly cluster: KubeconfigCluster;
}

export interface NamedUser {
  readonly name: string;
  readonly user: KubeconfigUser;
}

export interface NamedContext {
  readonly name: string;
  readonly context: KubeconfigContext;
}

/** A kubeconfig as client-go v0.20 writes it (`clientcmd/api/v1/types.go`). Fields not named here survive a merge. */
export interface Kubeconfig {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly preferences?: unknown;
  readonly clusters?: readonly NamedCluster[] | null;
  readonly users?: readonly NamedUser[] | null;
  readonly contexts?: readonly NamedContext[] | null;
  readonly 'current-context'?: string;
}

/** A kubeconfig of one cluster, one user and one context of that name, certificates embedded. Holds secrets. */
export function buildKubeconfig(options: KubeconfigOptions): Kubeconfig {
  const { name, clientCertPem, clientKeyPem, token, namespace } = options;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: options.server, 'certificate-authority-data': base64(options.caPem) } }],
    users: [
      {
        name,
        user: {
          ...(clientCertPem === undefined ? {} : { 'client-certificate-data': base64(clientCertPem) }),
          ...(clientKeyPem === undefined ? {} : { 'client-key-data': base64(clientKeyPem) }),
          ...(token === undefined ? {} : { token }),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
    'current-context': name,
  };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** The file's text for a kubeconfig. Write it with mode 0600. */
export function formatKubeconfig(config: Kubeconfig): string {
  return dumpKubeconfigYaml(config);
}

/**
 * Reads a kubeconfig's text (YAML or JSON) and checks what kubectl would refuse: lists that are none, entries without
 * name or body. An empty text is an empty kubeconfig. Throws `InvalidConfig` naming `path` and every fault.
 */
export function parseKubeconfig(text: string, path: string): Kubeconfig {
  let value: unknown;
  try {
    value = loadKubeconfigYaml(text);
  } catch (error) {
    throw new HyperupError('InvalidConfig', `read kubeconfig ${path}: ${messageOf(error)}`, { cause: error, ...hint });
  }
  if (value === undefined || value === null) return {};
  const faults = isRecord(value) ? faultsOf(value) : ['it is not a mapping'];
  if (faults.length > 0) {
    throw new HyperupError('InvalidConfig', `read kubeconfig ${path}: ${faults.join('; ')}`, {
      details: { path, faults },
      ...hint,
    });
  }
  return value as Kubeconfig;
}

const hint = { hint: 'Mend the file, move it away, or name another with --kubeconfig.' };

const lists = { clusters: 'cluster', users: 'user', contexts: 'context' } as const;

function faultsOf(config: Loose): string[] {
  const faults: string[] = [];
  const { kind, 'current-context': current } = config;
  if (kind !== undefined && kind !== 'Config') faults.push(`kind is ${JSON.stringify(kind)}, want Config`);
  if (current !== undefined && current !== null && typeof current !== 'string') {
    faults.push('current-context is not text');
  }
  for (const [list, body] of Object.entries(lists)) {
    const entries = config[list];
    if (entries === undefined || entries === null) continue;
    if (!Array.isArray(entries)) {
      faults.push(`${list} is not a list`);
      continue;
    }
    entries.forEach((entry: unknown, index) => {
      const { name, [body]: content } = isRecord(entry) ? entry : {};
      if (typeof name !== 'string') faults.push(`${list}[${index}] has no name`);
      else if (!isRecord(content)) faults.push(`${list}[${index}] (${name}) has no ${body}`);
    });
  }
  return faults;
}

type Loose = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
