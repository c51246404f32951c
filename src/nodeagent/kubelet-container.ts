import { dirname } from 'node:path';
import { type ContainerMount, type ContainerSpec, managedLabel, roleLabel } from '../docker/types.js';
import { componentSource, imageReference } from '../release/image-of.js';
import type { NodeAgentInputs } from './inputs.js';
import { type KubeletMode, kubeletFlags } from './kubelet-configuration.js';

export const clusterLabel = 'io.hyperup.cluster';

/** Host folders that the kubelet sees where the host has them; naming a missing one would bring it into being. */
export const optionalMounts: readonly ContainerMount[] = [
  { source: '/lib/modules', target: '/lib/modules', readOnly: true },
  { source: '/etc/localtime', target: '/etc/localtime', readOnly: true },
  { source: '/run/udev', target: '/run/udev', readOnly: true },
];

/** The folder of an engine's socket that is not in the usual place: an engine that restarts makes a new socket in it. */
function engineSocketMount(endpoint: string): readonly ContainerMount[] {
  const socket = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1];
  if (socket === undefined || socket.startsWith('/var/run/')) return [];
  const folder = dirname(socket) === '/' ? socket : dirname(socket);
  return [{ source: folder, target: folder }];
}

/**
 * Adds the route to Service addresses before the kubelet starts: after a reboot it is this container that comes back by
 * itself. By the host's own ip(8), for kubelets' images have none; where it fails the kubelet is no worse off.
 */
function withServiceRoute(command: readonly string[], { serviceRoute }: NodeAgentInputs): readonly string[] {
  if (serviceRoute === undefined) return command;
  const { destination, link, source } = serviceRoute;
  const add = 'nsenter --root=/rootfs -- ip -4 route add "$1" dev "$2" src "$3" 2>&1';
  const script = `${add} | grep -v "File exists" >&2; shift 3; exec "$@"`;
  return ['sh', '-c', script, 'kubelet', destination, link, source, ...command];
}

/**
 * The privileged container that the Go kubelet runs in. Pure. It shares the host's network, processes and cgroups, sees
 * the host's file system at /rootfs, and what it mounts below its own folder shows on the host, where the engine
 * takes pods' volumes from.
 */
export function kubeletContainer(inputs: NodeAgentInputs, mode: KubeletMode = 'member'): ContainerSpec {
  const { cluster, release } = inputs;
  const { configDir, kubeletDir } = cluster.paths;
  const kubelet = componentSource(release, 'kubelet');
  const mounts: ContainerMount[] = [
    { source: '/', target: '/rootfs', readOnly: true },
    { source: '/sys', target: '/sys' },
    // Without this line the engine mounts the container's own corner of the v1 hierarchy over it.
    { source: '/sys/fs/cgroup', target: '/sys/fs/cgroup' },
    { source: '/dev', target: '/dev' },
    { source: '/var/run', target: '/var/run' },
    { source: '/var/log', target: '/var/log' },
    { source: inputs.engineRootDir, target: inputs.engineRootDir },
    { source: kubeletDir, target: kubeletDir, propagation: 'rshared' },
    { source: configDir, target: configDir },
    ...engineSocketMount(inputs.engineEndpoint),
    ...optionalMounts.filter((mount) => inputs.existingHostPaths.has(mount.source)),
  ];
  // The kubelet reads the pods' resolver file in its own file system.
  if (inputs.resolvConf !== '/etc/resolv.conf' && !inputs.resolvConf.startsWith('/run/')) {
    mounts.push({ source: inputs.resolvConf, target: inputs.resolvConf, readOnly: true });
  }
  const command = [...kubelet.command, ...kubeletFlags(inputs, imageReference(release, 'pause'), mode)];
  return {
    name: mode === 'member' ? `${cluster.name}-kubelet` : `${cluster.name}-kubelet-standalone`,
    image: imageReference(release, kubelet.image),
    entrypoint: [],
    command: mode === 'member' ? withServiceRoute(command, inputs) : command,
    labels: {
      [managedLabel]: 'true',
      [roleLabel]: mode === 'member' ? 'kubelet' : 'kubelet-standalone',
      [clusterLabel]: cluster.name,
    },
    // Each start asks 169.254.169.254 whether this is EC2, for the sake of its registry: on other machines that is
    // time lost and a packet that leaves the host.
    env: { AWS_EC2_METADATA_DISABLED: 'true' },
    networkMode: 'host',
    pidMode: 'host',
    cgroupnsMode: 'host',
    privileged: true,
    // A standalone one is an install's own: after a crash nothing should bring it back.
    restart: mode === 'member' ? 'always' : 'no',
    logMaxSize: '20m',
    logMaxFiles: 3,
    mounts,
  };
}
