import type { Component } from '../release/types.js';

/** One component as `status` and `verify` show it. */
export interface ComponentStatus {
  readonly component: Component | 'dns' | 'node' | 'kubelet-container' | 'smoke';
  /** `up` only when its own health endpoint said so and its version matches. */
  readonly state: 'up' | 'down' | 'unknown';
  /** Why it is not up, or what was seen. */
  readonly message: string;
  readonly endpoint?: string;
  readonly pid?: number;
  readonly ports?: readonly number[];
  readonly version?: string;
  readonly restarts?: number;
  readonly ageMs?: number;
  /** The last log lines of a component that is down. */
  readonly lastLog?: readonly string[];
}

export interface ClusterStatus {
  readonly installed: boolean;
  readonly healthy: boolean;
  readonly cluster: string;
  readonly kubernetesVersion: string;
  readonly server: string;
  readonly kubelet: 'hyperkube' | 'builtin';
  readonly certificatesExpire?: string;
  readonly components: readonly ComponentStatus[];
}

export interface InstallResult {
  readonly status: ClusterStatus;
  /** False where everything was there already and healthy. */
  readonly changed: boolean;
  readonly kubeconfigPath: string;
  readonly context: string;
  readonly kubectl: string | undefined;
  readonly elapsedMs: number;
}

export interface UninstallResult {
  readonly undone: number;
  /** What is still there, one line each; empty when the machine is as it was. */
  readonly leftovers: readonly string[];
  readonly kept: readonly string[];
  readonly elapsedMs: number;
}

/** What `install --dry-run` prints. */
export interface InstallPlan {
  readonly kubernetesVersion: string;
  readonly images: readonly {
    readonly name: string;
    readonly reference: string;
    readonly source: 'engine' | 'bundle' | 'mirror' | 'build' | 'unavailable';
    readonly detail: string;
    readonly sizeBytes: number | undefined;
  }[];
  /** `sizeBytes` is undefined for what is made of new keys. */
  readonly files: readonly {
    readonly path: string;
    readonly mode: number;
    readonly sizeBytes: number | undefined;
  }[];
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly command: readonly string[];
  }[];
  readonly ports: readonly { readonly port: number; readonly component: string }[];
  readonly hostChanges: readonly string[];
}
