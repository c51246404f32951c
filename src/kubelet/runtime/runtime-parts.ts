import type { Clock } from '../../base/clock.js';
import { HyperupError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { RuntimeEngine, RuntimeInfo } from '../../docker/runtime-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { KubeletIdentity, PodNetwork } from '../types.js';
import type { PodCgroups } from './cgroups.js';
import type { Inspections } from './inspections.js';
import type { LogLinks } from './log-links.js';
import type { SeccompOptions } from './profiles.js';

export interface PodRuntimeOptions {
  readonly engine: RuntimeEngine;
  readonly info: RuntimeInfo;
  readonly identity: KubeletIdentity;
  readonly pauseImage: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cgroupsPerQos: boolean;
  readonly cgroupRoot: string;
  /** 0 or less: no limit. */
  readonly podPidsLimit: number;
  /** A quantity. */
  readonly containerLogMaxSize: string;
  readonly containerLogMaxFiles: number;
  /** What the pod's resolv.conf shall be; empty leaves the engine's. */
  readonly resolvConfFor: (pod: V1Pod) => Promise<string>;
  /** Undefined: the engine connects all pods. */
  readonly network?: PodNetwork | undefined;
  /** What the kernel calls the machine. */
  readonly nodeHostname: string;
  readonly clusterDomain: string;
  /** By the pod's runtime class: asked only where it names one. Throws where there is no such class. */
  readonly runtimeHandlerOf: (pod: V1Pod) => Promise<string | undefined>;
  readonly nodeMemoryBytes: number;
  /** `<rootDir>/seccomp` unless it is told otherwise. */
  readonly seccompProfileRoot?: string | undefined;
  readonly seccompDefault: boolean;
  /** For tests; sends SIGKILL otherwise. */
  readonly killProcess?: ((pid: number) => void) | undefined;
}

/** What the runtime's operations share. */
export interface RuntimeParts {
  readonly options: PodRuntimeOptions;
  readonly inspections: Inspections;
  readonly links: LogLinks;
  readonly cgroups: PodCgroups;
  readonly seccomp: SeccompOptions;
}

/**
 * The engine's runtime for a pod with a runtime class; undefined for the engine's own choice. Throws `InvalidConfig` where
 * the engine has none of that name.
 */
export async function engineRuntimeOf(
  pod: V1Pod,
  handlerOf: (pod: V1Pod) => Promise<string | undefined>,
  info: RuntimeInfo,
): Promise<string | undefined> {
  if (!pod.spec?.runtimeClassName) return undefined;
  const handler = (await handlerOf(pod)) ?? '';
  if (handler === '' || handler === 'docker') return undefined;
  // A name with dots is a shim's, which newer engines find by themselves.
  if (info.runtimes.includes(handler) || /^[\w-]+(\.[\w-]+)+$/.test(handler)) return handler;
  throw new HyperupError('InvalidConfig', `RuntimeHandler "${handler}" not supported`);
}
