import { join } from 'node:path';
import type { ContainerListing } from '../../docker/runtime-types.js';
import type { ContainerId, PodRuntime, PodUid, RuntimePodStatus, RuntimePodSummary } from '../types.js';
import { createPodCgroups } from './cgroups.js';
import { createContainerStarter } from './container-starter.js';
import { createExecSync } from './exec-sync.js';
import { createInspections, type Inspected } from './inspections.js';
import { instanceFilter } from './labels.js';
import { createListings } from './listings.js';
import { createLogLinks } from './log-links.js';
import { createPodRemover } from './pod-remover.js';
import { makePodStatus, summarize } from './pod-status.js';
import { resourcesForUpdate } from './resources.js';
import type { PodRuntimeOptions } from './runtime-parts.js';
import { createSandboxRunner } from './sandbox-runner.js';

/** What the engine has of a pod, and a text that is the same as long as no container of its changes its state. */
export type DigestedPodStatus = RuntimePodStatus & { readonly digest: string };

export interface ListedPod extends RuntimePodSummary {
  readonly digest: string;
  /** Of this list, not asked for anew; containers are inspected where the list shows that to be necessary. */
  status(): Promise<DigestedPodStatus>;
}

/** The runtime as the PLEG wants it; others see a `PodRuntime`. */
export interface EnginePodRuntime extends PodRuntime {
  listPods(): Promise<readonly ListedPod[]>;
  podStatus(uid: PodUid): Promise<DigestedPodStatus>;
  /** An event told that something happened to this container: it is inspected anew. */
  touch(id: ContainerId): void;
}

/** Docker's own grace for sandboxes (v1.20 `dockershim/docker_service.go`). */
const sandboxGraceSeconds = 10;

/**
 * Pods on a Docker Engine. Keeps inspections, and no other state: all else is in labels, so that a restarted kubelet
 * takes its pods over. Calls for different pods never wait for each other.
 */
export function createPodRuntime(options: PodRuntimeOptions): EnginePodRuntime {
  const { engine, identity, clock, logger, info } = options;
  const inspections = createInspections(
    engine,
    clock,
    async ({ pid }) => (await options.network?.addressesOf(pid)) ?? [],
  );
  const listings = createListings(engine, instanceFilter(identity));
  const links = createLogLinks({ podLogDir: identity.podLogDir, logger });
  const cgroups = createPodCgroups({
    layout: { perQos: options.cgroupsPerQos, root: options.cgroupRoot, driver: info.cgroupDriver },
    version: info.cgroupVersion,
    hostRoot: identity.hostRoot,
    podPidsLimit: options.podPidsLimit,
    clock,
    logger,
  });
  const seccomp = {
    profileRoot: options.seccompProfileRoot ?? join(identity.rootDir, 'seccomp'),
    seccompDefault: options.seccompDefault,
  };
  const parts = { options, inspections, links, cgroups, seccomp };
  const remover = createPodRemover({ engine, inspections, listings, links, cgroups });
  const execSync = createExecSync({
    engine,
    clock,
    killProcess: options.killProcess ?? ((pid) => void process.kill(pid, 'SIGKILL')),
  });
  const statusOf = async (uid: PodUid, listed: readonly ContainerListing[]): Promise<DigestedPodStatus> => {
    const inspected = await Promise.all(listed.map((listing) => inspections.of(listing)));
    return makePodStatus(
      uid,
      listed,
      inspected.filter((one): one is Inspected => one !== undefined),
    );
  };
  return {
    async listPods() {
      const all = await listings.all();
      inspections.keepOnly(new Set(all.map((listing) => listing.id)));
      return summarize(all).map(({ listings: listed, ...pod }) => ({
        ...pod,
        status: () => statusOf(pod.uid, listed),
      }));
    },
    podStatus: async (uid) => statusOf(uid, await listings.ofPod(uid)),
    runPodSandbox: createSandboxRunner(parts),
    startContainer: createContainerStarter(parts),
    async stopPodSandbox(id) {
      await engine.stopContainer(id, sandboxGraceSeconds);
    },
    async stopContainer(id, graceSeconds) {
      await engine.stopContainer(id, graceSeconds);
    },
    removeContainer: remover.removeContainer,
    removePod: remover.removePod,
    execSync,
    async updateResources(id, pod, container) {
      // Before for what grows, after for what shrinks: a parent's limit is never below its child's.
      await cgroups.apply(pod);
      await engine.updateContainer(id, resourcesForUpdate(container));
      await cgroups.apply(pod);
    },
    touch: inspections.touch,
  };
}
