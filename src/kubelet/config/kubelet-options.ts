import type { V1Taint } from '../../kube/node-objects.js';
import type { ServiceRoute } from '../network/service-route.js';
import type { KubeletIdentity } from '../types.js';

/** Everything that a kubelet runs by: the configuration file, flags above it, defaults below. */
export interface KubeletOptions {
  readonly identity: KubeletIdentity;
  /** Undefined: standalone, static pods and nothing else. */
  readonly kubeconfigPath: string | undefined;
  /** To ask for a client certificate with, where `kubeconfigPath` doesn't exist yet. */
  readonly bootstrapKubeconfigPath: string | undefined;
  /** Where certificates that the kubelet obtains or makes are kept. */
  readonly certDir: string;
  readonly rotateCertificates: boolean;
  /** Asks the API server for the serving certificate. */
  readonly serverTlsBootstrap: boolean;
  /** DOCKER_HOST's form; undefined: found as the docker command finds it. */
  readonly engineHost: string | undefined;
  readonly pauseImage: string;
  /** What the node says it runs; decides nothing here but what is reported. */
  readonly kubeletVersion: string;
  readonly staticPods: { readonly path: string; readonly scanMs: number } | undefined;
  readonly server: ServerOptions;
  /** Undefined: no health endpoint. */
  readonly health: { readonly address: string; readonly port: number } | undefined;
  /** Added where the machine has lost it. */
  readonly serviceRoute: ServiceRoute | undefined;
  /** `auto`: the kubelet connects pods to the engine's bridge where it can. */
  readonly podNetwork: 'auto' | 'engine';
  readonly dns: { readonly servers: readonly string[]; readonly domain: string; readonly resolvConf: string };
  readonly node: NodeOptions;
  readonly cgroups: {
    readonly perQos: boolean;
    readonly root: string;
    readonly driver: 'cgroupfs' | 'systemd' | undefined;
  };
  readonly maxPods: number;
  /** -1: no limit. */
  readonly podPidsLimit: number;
  readonly eviction: EvictionOptions;
  readonly imageGc: {
    readonly highPercent: number;
    readonly lowPercent: number;
    readonly minAgeMs: number;
  };
  readonly maxParallelImagePulls: number;
  readonly containerLog: { readonly maxSize: string; readonly maxFiles: number };
  /** By resource name, quantities. */
  readonly reserved: Readonly<Record<string, string>>;
  /** Patterns such as `net.core.*`. */
  readonly allowedUnsafeSysctls: readonly string[];
  readonly seccompDefault: boolean;
  /** The file's content, as /configz shows it. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

export interface ServerOptions {
  readonly enabled: boolean;
  readonly address: string;
  readonly port: number;
  /** 0: none. */
  readonly readOnlyPort: number;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly minTlsVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly clientCaFile: string | undefined;
  readonly anonymous: boolean;
  readonly tokenReview: boolean;
  readonly tokenCacheMs: number;
  readonly authorization: 'Webhook' | 'AlwaysAllow';
  readonly allowCacheMs: number;
  readonly denyCacheMs: number;
  readonly streamIdleMs: number;
  readonly debuggingHandlers: boolean;
}

export interface NodeOptions {
  readonly register: boolean;
  readonly schedulable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly V1Taint[];
  readonly statusUpdateMs: number;
  readonly statusReportMs: number;
  readonly leaseSeconds: number;
  readonly maxImages: number;
  readonly podCidr: string | undefined;
}

/** Thresholds by signal: `memory.available` to `100Mi` or `10%`. */
export type EvictionThresholds = Readonly<Record<string, string>>;

export interface EvictionOptions {
  readonly hard: EvictionThresholds;
  readonly soft: EvictionThresholds;
  readonly softGraceMs: Readonly<Record<string, number>>;
  readonly maxPodGraceSeconds: number;
  readonly pressureTransitionMs: number;
  readonly intervalMs: number;
}
