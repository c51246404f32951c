import type { Operation } from '../base/operation.js';
import type { SetOptions } from '../config/transfer-options.js';
import type { ClusterQuery, InstallOptions, UninstallOptions } from '../config/types.js';
import type { ConfigureEngineResult } from '../engine/configure-engine.js';
import type { EngineStatus } from '../engine/engine-status.js';
import type { InstallEngineResult } from '../engine/install-engine.js';
import type { ImageListing } from '../mirror/list-images.js';
import type { VerifiedImage } from '../mirror/lock/verify-lock.js';
import type { ObtainedImage } from '../mirror/outcome.js';
import type { MirrorSurvey } from '../mirror/survey-mirrors/types.js';
import type { TagResult } from '../mirror/tag-images.js';
import type { WatchReport } from '../mirror/workloads/watch-workloads.js';
import type { Finding } from '../preflight/types.js';
import type {
  LoadRequest,
  LoadResult,
  SavePlan,
  SaveRequest,
  SaveResult,
  ServeRequest,
  SyncRequest,
  SyncResult,
} from '../provision/bundle-verbs.js';
import type { CopyImageOptions, CopyImagePlan, CopyImageResult } from '../provision/copy-verbs.js';
import type { LockRequest, LockResult, VerifyImagesRequest } from '../provision/lock-verbs.js';
import type { RunContext } from '../provision/runtime.js';
import type { ClusterStatus, InstallPlan, InstallResult, UninstallResult } from '../provision/types.js';
import type { ImportedImage, ImportPlan, ImportRequest, WatchRequest } from '../provision/workload-verbs.js';
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
  saveImages(options: InstallOptions, request: SaveRequest, run?: RunContext): Operation<SaveResult>;
  planSave(options: InstallOptions, request: SaveRequest, run?: RunContext): Promise<SavePlan>;
  serveImages(
    options: Pick<InstallOptions, 'images'>,
    request: ServeRequest,
    run?: RunContext,
  ): Operation<{ readonly served: string }>;
  /** The user's own images, under their own names. */
  importImages(
    options: Pick<InstallOptions, 'engineHost' | 'images'>,
    request: ImportRequest,
    run?: RunContext,
  ): Operation<readonly ImportedImage[]>;
  planImport(
    options: Pick<InstallOptions, 'engineHost' | 'images'>,
    request: ImportRequest,
    run?: RunContext,
  ): Promise<readonly ImportPlan[]>;
  /** Brings what pods wait for; without `once` until it is aborted, which is no failure. */
  watchImages(options: InstallOptions, request: WatchRequest, run?: RunContext): Operation<WatchReport>;
  lockImages(options: InstallOptions, request: LockRequest, run?: RunContext): Operation<LockResult>;
  verifyImages(
    options: InstallOptions,
    request: VerifyImagesRequest,
    run?: RunContext,
  ): Operation<readonly VerifiedImage[]>;
  surveyMirrors(options: InstallOptions, run?: RunContext): Promise<MirrorSurvey>;
  engineInstall(options: EngineInstallOptions, run?: RunContext): Operation<InstallEngineResult>;
  engineConfigure(options: EngineConfigureOptions, run?: RunContext): Operation<ConfigureEngineResult>;
  engineStatus(query: ClusterQuery, run?: RunContext): Promise<EngineStatus>;
  kubeconfigPrint(query: ClusterQuery): Promise<string>;
  kubeconfigMerge(query: ClusterQuery, path: string): Promise<MergeResult>;
  kubeconfigRemove(query: ClusterQuery, path: string): Promise<{ readonly removed: boolean }>;
}

/** Verbs that move images between any two places. */
export interface CopyVerbs {
  copyImage(options: CopyImageOptions, run?: RunContext): Operation<CopyImageResult>;
  planImageCopy(options: CopyImageOptions, run?: RunContext): Promise<CopyImagePlan>;
}

/** The verb that loads a bundle. */
export interface LoadVerbs {
  loadImages(
    options: Pick<InstallOptions, 'engineHost' | 'images'>,
    request: LoadRequest,
    run?: RunContext,
  ): Operation<LoadResult>;
}

/** The verb that fills a registry. */
export interface SyncVerbs {
  syncImages(options: SetOptions, request: SyncRequest, run?: RunContext): Operation<SyncResult>;
}
