import type { Operation } from '../base/operation.js';
import type { ClusterQuery, InstallOptions, UninstallOptions } from '../config/types.js';
import type { ConfigureEngineResult } from '../engine/configure-engine.js';
import type { EngineStatus } from '../engine/engine-status.js';
import type { InstallEngineResult } from '../engine/install-engine.js';
import type { ImageListing } from '../mirror/list-images.js';
import type { ObtainedImage } from '../mirror/outcome.js';
import type { TagResult } from '../mirror/tag-images.js';
import type { Finding } from '../preflight/types.js';
import type { RunContext } from '../provision/runtime.js';
import type { ClusterStatus, InstallPlan, InstallResult, UninstallResult } from '../provision/types.js';
import type { Component } from '../release/types.js';

export interface EngineInstallOptions {
  readonly engineHost: string | undefined;
  /** How long the engine may take to answer once it is started. */
  readonly timeoutMs: number;
}

export interface EngineConfigureOptions {
  readonly engineHost: string | undefined;
  readonly registryMirrors: readonly string[];
  readonly insecureRegistries: readonly string[];
}

export interface LogOptions {
  readonly follow: boolean;
  /** How many of the last lines to begin with. */
  readonly tail: number;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface MergeResult {
  readonly context: string;
  /** False where the file said so already. */
  readonly changed: boolean;
}

/** Everything that the command line can do: the provision room in production, a fake in tests. */
export interface Verbs {
  install(options: InstallOptions, run?: RunContext): Operation<InstallResult>;
  planInstall(options: InstallOptions, run?: RunContext): Promise<InstallPlan>;
  render(options: InstallOptions, dir: string, run?: RunContext): Promise<{ readonly files: readonly string[] }>;
  /** The checks that were not skipped. */
  preflight(options: InstallOptions, run?: RunContext): Promise<readonly Finding[]>;
  uninstall(options: UninstallOptions, run?: RunContext): Operation<UninstallResult>;
  status(query: ClusterQuery, run?: RunContext): Promise<ClusterStatus>;
  verify(query: ClusterQuery, run?: RunContext): Operation<ClusterStatus>;
  componentLogs(query: ClusterQuery, component: Component | 'dns', options: LogOptions): Promise<void>;
  listImages(options: InstallOptions, run?: RunContext): Promise<readonly ImageListing[]>;
  /** No `names` stands for all images of the release. */
  pullImages(options: InstallOptions, names: readonly string[], run?: RunContext): Operation<readonly ObtainedImage[]>;
  buildImages(options: InstallOptions, names: readonly string[], run?: RunContext): Operation<readonly ObtainedImage[]>;
  /** Puts the canonical names on images that the engine has under a mirror's names; needs no network. */
  tagImages(options: InstallOptions, names: readonly string[], run?: RunContext): Promise<readonly TagResult[]>;
  engineInstall(options: EngineInstallOptions, run?: RunContext): Operation<InstallEngineResult>;
  engineConfigure(options: EngineConfigureOptions, run?: RunContext): Operation<ConfigureEngineResult>;
  engineStatus(query: ClusterQuery, run?: RunContext): Promise<EngineStatus>;
  kubeconfigPrint(query: ClusterQuery): Promise<string>;
  kubeconfigMerge(query: ClusterQuery, path: string): Promise<MergeResult>;
  kubeconfigRemove(query: ClusterQuery, path: string): Promise<{ readonly removed: boolean }>;
}
