/**
 * hyperup as a library: the verbs of the command line, with progress as an async iterable of typed events. Nothing here
 * writes to the terminal, ends the process or reads HYPERUP_* variables and config files.
 */
import type { DeepPartial } from './config/defaults.js';
import { defaultInstallOptions as checkedDefaults } from './config/resolve-options.js';
import type { InstallOptions } from './config/types.js';
import { parseMirrors } from './mirror/mirror-spec.js';
import { preflightIds } from './preflight/checks/all-checks.js';
import { knownReleases, releaseFor } from './release/release-for.js';

export { type ErrorCode, type ErrorOptions, HyperupError, isHyperupError } from './base/errors.js';
export type { LogFields, Logger } from './base/logger.js';
export type { Operation } from './base/operation.js';
export type { EmitProgress, ProgressEvent } from './base/progress.js';
export type { DeepPartial } from './config/defaults.js';
export type {
  ClusterOptions,
  ClusterPaths,
  ClusterPorts,
  ClusterQuery,
  ImageOptions,
  InstallOptions,
  KubeletChoice,
  UninstallOptions,
} from './config/types.js';
export { install, planInstall, render, status, uninstall, verify } from './provision/index.js';
export type { RunContext } from './provision/runtime.js';
export type { ClusterStatus, ComponentStatus, InstallPlan, InstallResult, UninstallResult } from './provision/types.js';
export type { Component } from './release/types.js';

/**
 * Valid install options: this host's defaults with `overrides` on top, at any depth. Of the environment only KUBECONFIG and
 * XDG_CACHE_HOME count.
 *
 * @throws HyperupError `InvalidConfig`, listing every fault at once in `details.faults`
 */
export function defaultInstallOptions(overrides: DeepPartial<InstallOptions> = {}): InstallOptions {
  const releases = knownReleases().map((version) => releaseFor(version));
  return checkedDefaults(overrides, { releases, preflightIds, readMirrors: parseMirrors });
}
