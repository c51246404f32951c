import { join } from 'node:path';
import { type Environment, environmentValue } from './environment.js';
import type { HostFacts } from './host-facts.js';
import type { InstallOptions } from './types.js';

/** The Kubernetes version that is installed where none is asked for. */
export const defaultKubernetesVersion = 'v1.20.2';

/** `T` with every property at every depth left out at will; lists are whole or absent. */
export type DeepPartial<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> | undefined }
    : T;

/**
 * Every option's default on this host. Two follow others, and `overrides` is consulted for them: etcd's folder lies
 * below `stateDir`, and `ports.api` is `apiPort`. Of the environment only XDG_CACHE_HOME and KUBECONFIG are read.
 * Nothing is checked here: `host.hostname` may be no valid node name.
 */
export function makeDefaults(
  host: HostFacts,
  env: Environment,
  overrides: { readonly stateDir?: string | undefined; readonly apiPort?: number | undefined } = {},
): InstallOptions {
  const stateDir = overrides.stateDir ?? '/var/lib/hyperup';
  const apiPort = overrides.apiPort ?? 6443;
  return {
    cluster: {
      name: 'hyperup',
      kubernetesVersion: defaultKubernetesVersion,
      kubelet: 'auto',
      dns: 'auto',
      nodeName: host.hostname.trim().toLowerCase(),
      nodeAddress: host.nodeAddress ?? '127.0.0.1',
      apiPort,
      serviceCidr: '10.96.0.0/12',
      podCidr: undefined,
      clusterDomain: 'cluster.local',
      nodePortRange: '30000-32767',
      extraSans: [],
      paths: {
        configDir: '/etc/kubernetes',
        stateDir,
        etcdDir: join(stateDir, 'etcd'),
        kubeletDir: '/var/lib/kubelet',
        podLogDir: '/var/log/pods',
      },
      ports: {
        api: apiPort,
        etcdClient: 2379,
        etcdPeer: 2380,
        controllerManager: 10_257,
        scheduler: 10_259,
        kubelet: 10_250,
        kubeletHealth: 10_248,
        proxyHealth: 10_256,
        proxyMetrics: 10_249,
      },
    },
    images: {
      mirrors: [],
      lock: undefined,
      bundle: undefined,
      build: true,
      cacheDir: join(environmentValue(env, 'XDG_CACHE_HOME') ?? join(host.homeDir, '.cache'), 'hyperup'),
      stallMs: 20_000,
      debianMirror: undefined,
    },
    engineHost: undefined,
    engineInstall: false,
    skipPreflight: [],
    kubeconfigPath: defaultKubeconfigPath(host, env),
    keepOnFailure: false,
    dryRun: false,
    timeoutMs: 180_000,
  };
}

/** The first entry of KUBECONFIG, else `~/.kube/config`. */
function defaultKubeconfigPath(host: HostFacts, env: Environment): string {
  const first = environmentValue(env, 'KUBECONFIG')
    ?.split(':')
    .find((entry) => entry !== '');
  return first === undefined
    ? join(host.homeDir, '.kube/config')
    : join(first.startsWith('/') ? '' : host.workingDir, first);
}
