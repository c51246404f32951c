import { dirname, join } from 'node:path';
import { type ContainerMount, type ContainerSpec, managedLabel, roleLabel } from '../docker/types.js';
import { imageReference } from '../release/image-of.js';
import type { NodeAgentInputs } from './inputs.js';
import { kubeletConfigNames } from './kubelet-configuration.js';
import { clusterLabel } from './kubelet-container.js';

export interface BuiltinKubelet {
  /** The image that was made from this machine's Node. */
  readonly image: string;
  /** The program in it. */
  readonly program: string;
}

/** Keeps the heap's young half small: a kubelet's garbage is short-lived, and its memory is what users look at. */
const nodeFlags = ['--max-semi-space-size=4', '--max-old-space-size=192', '--optimize-for-size'];

/** The built-in kubelet's command-line flags beyond its configuration file. Pure. */
export function builtinKubeletFlags({
  cluster,
  release,
  engineEndpoint,
  serviceRoute,
}: NodeAgentInputs): readonly string[] {
  const { configDir, kubeletDir, podLogDir } = cluster.paths;
  const flags: Readonly<Record<string, string>> = {
    'cert-dir': join(configDir, 'pki'),
    config: join(configDir, kubeletConfigNames.member),
    'docker-endpoint': engineEndpoint,
    'hostname-override': cluster.nodeName,
    instance: cluster.name,
    'kubelet-version': release.version,
    kubeconfig: join(configDir, 'kubelet.conf'),
    'node-ip': cluster.nodeAddress,
    'pod-infra-container-image': imageReference(release, 'pause'),
    'pod-log-dir': podLogDir,
    'root-dir': kubeletDir,
    ...(serviceRoute === undefined
      ? {}
      : { 'service-route': [serviceRoute.destination, serviceRoute.link, serviceRoute.source].join(',') }),
  };
  return Object.entries(flags)
    .map(([name, value]) => `--${name}=${value}`)
    .sort();
}

/**
 * The privileged container that the built-in kubelet runs in. Pure. It shares the host's network, processes and cgroups and
 * sees the host's files through its first process, so that it needs few mounts: its own folder, the pods' logs, the
 * configuration, the engine's socket, cgroups.
 */
export function builtinKubeletContainer(inputs: NodeAgentInputs, builtin: BuiltinKubelet): ContainerSpec {
  const { cluster } = inputs;
  const { configDir, kubeletDir, podLogDir } = cluster.paths;
  const socket = /^unix:\/\/(\/.+)$/.exec(inputs.engineEndpoint)?.[1];
  const socketDir = socket === undefined ? undefined : dirname(socket);
  const mounts: ContainerMount[] = [
    { source: '/sys', target: '/sys' },
    { source: '/sys/fs/cgroup', target: '/sys/fs/cgroup' },
    // An engine that restarts makes a new socket in it.
    ...(socketDir === undefined || socketDir === '/' ? [] : [{ source: socketDir, target: socketDir }]),
    { source: '/var/log', target: '/var/log' },
    ...(podLogDir.startsWith('/var/log/') ? [] : [{ source: podLogDir, target: podLogDir }]),
    { source: kubeletDir, target: kubeletDir, propagation: 'rshared' },
    { source: configDir, target: configDir },
  ];
  return {
    name: `${cluster.name}-kubelet`,
    image: builtin.image,
    entrypoint: ['/usr/local/bin/node'],
    command: [...nodeFlags, builtin.program, ...builtinKubeletFlags(inputs)],
    labels: { [managedLabel]: 'true', [roleLabel]: 'kubelet', [clusterLabel]: cluster.name },
    env: { HYPERUP_IN_CONTAINER: 'true' },
    networkMode: 'host',
    pidMode: 'host',
    cgroupnsMode: 'host',
    privileged: true,
    restart: 'always',
    logMaxSize: '20m',
    logMaxFiles: 3,
    mounts,
  };
}
