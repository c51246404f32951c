import { join } from 'node:path';
import { HyperupError } from '../base/errors.js';
import { componentImage } from '../release/image-of.js';
import { componentFlags, type StaticComponent, staticComponents } from './component-flags.js';
import type { ControlPlaneInputs } from './inputs.js';

interface HostPathVolume {
  readonly name: string;
  readonly hostPath: { readonly path: string; readonly type: 'Directory' | 'DirectoryOrCreate' | 'FileOrCreate' };
}

interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

interface Probe {
  readonly [field: string]: unknown;
}

/** The fields of a static pod that hyperup fills in; the rest of the YAML passes through untouched. */
export interface StaticPod {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly StaticContainer[];
    readonly volumes?: readonly HostPathVolume[];
  };
}

interface StaticContainer {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly volumeMounts?: readonly VolumeMount[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
}

/** One folder or file of the host, seen by the container at the same path. */
interface HostFile {
  readonly name: string;
  readonly path: string;
  readonly type: HostPathVolume['hostPath']['type'];
  readonly writable?: boolean;
}

function hostFiles(component: StaticComponent, inputs: ControlPlaneInputs): readonly HostFile[] {
  const { paths } = inputs.cluster;
  const pki: HostFile = { name: 'pki', path: join(paths.configDir, 'pki'), type: 'Directory' };
  const kubeconfig = (file: string): HostFile => ({
    name: 'kubeconfig',
    path: join(paths.configDir, file),
    type: 'FileOrCreate',
  });
  switch (component) {
    case 'etcd':
      return [
        { name: 'pki', path: join(paths.configDir, 'pki', 'etcd'), type: 'Directory' },
        { name: 'data', path: paths.etcdDir, type: 'DirectoryOrCreate', writable: true },
      ];
    case 'kube-apiserver':
      return [pki];
    case 'kube-controller-manager':
      return [pki, kubeconfig('controller-manager.conf')];
    case 'kube-scheduler':
      return [pki, kubeconfig('scheduler.conf')];
    case 'kube-proxy':
      return [
        kubeconfig('kube-proxy.conf'),
        { name: 'xtables-lock', path: '/run/xtables.lock', type: 'FileOrCreate', writable: true },
        ...(inputs.hostHasModules ? [{ name: 'modules', path: '/lib/modules', type: 'Directory' } as const] : []),
      ];
  }
}

function probeActions(component: StaticComponent, inputs: ControlPlaneInputs): Readonly<Record<string, Probe>> {
  const { ports, paths } = inputs.cluster;
  const https = (port: number, path: string) => ({ httpGet: { host: '127.0.0.1', port, path, scheme: 'HTTPS' } });
  switch (component) {
    case 'etcd': {
      const pki = join(paths.configDir, 'pki', 'etcd');
      const command = [
        'etcdctl',
        `--endpoints=https://127.0.0.1:${ports.etcdClient}`,
        `--cacert=${join(pki, 'ca.crt')}`,
        `--cert=${join(pki, 'healthcheck-client.crt')}`,
        `--key=${join(pki, 'healthcheck-client.key')}`,
        'endpoint',
        'health',
      ];
      return { livenessProbe: { exec: { command } }, readinessProbe: https(ports.api, '/readyz/etcd') };
    }
    case 'kube-apiserver':
      return {
        livenessProbe: https(ports.api, '/livez'),
        readinessProbe: https(ports.api, '/readyz'),
        startupProbe: https(ports.api, '/livez'),
      };
    case 'kube-controller-manager':
      return { livenessProbe: https(ports.controllerManager, '/healthz') };
    case 'kube-scheduler':
      return { livenessProbe: https(ports.scheduler, '/healthz') };
    case 'kube-proxy':
      return {
        livenessProbe: { httpGet: { host: '127.0.0.1', port: ports.proxyHealth, path: '/healthz', scheme: 'HTTP' } },
      };
  }
}

/** Startup probes are on by default from 1.18; 1.17 drops the field without a word, which is as good. */
function withActions(container: StaticContainer, actions: Readonly<Record<string, Probe>>): StaticContainer {
  const probes: Record<string, Probe> = {};
  for (const [name, action] of Object.entries(actions)) {
    const timing = container[name as 'livenessProbe' | 'readinessProbe' | 'startupProbe'];
    probes[name] = { ...timing, ...action };
  }
  return { ...container, ...probes };
}

/**
 * Fills one component's skeleton (`manifests/static-pods/<component>.yaml`, parsed) with image, command, host files and
 * probe targets. Pure; the skeleton is not changed.
 */
export function fillStaticPod(component: StaticComponent, skeleton: StaticPod, inputs: ControlPlaneInputs): StaticPod {
  const [container] = skeleton.spec.containers;
  if (!container || skeleton.metadata.name !== component) {
    throw new HyperupError('Internal', `manifest ${component}: not the pod of that component`);
  }
  const source = inputs.release.components[component];
  const files = hostFiles(component, inputs);
  const filled: StaticContainer = {
    ...withActions(container, probeActions(component, inputs)),
    image: componentImage(inputs.release, component),
    command: [...source.command, ...componentFlags(component, inputs)],
    volumeMounts: files.map((file) => ({ name: file.name, mountPath: file.path, readOnly: file.writable !== true })),
  };
  return {
    ...skeleton,
    spec: {
      ...skeleton.spec,
      containers: [filled],
      volumes: files.map((file) => ({ name: file.name, hostPath: { path: file.path, type: file.type } })),
    },
  };
}

/** All static pods of a control plane, in the order of `staticComponents`. Pure. */
export function planStaticPods(
  skeletons: Readonly<Record<StaticComponent, StaticPod>>,
  inputs: ControlPlaneInputs,
): readonly { readonly component: StaticComponent; readonly pod: StaticPod }[] {
  return staticComponents.map((component) => ({
    component,
    pod: fillStaticPod(component, skeletons[component], inputs),
  }));
}
