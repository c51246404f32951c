import { open } from 'node:fs/promises';
import { isHyperupError, messageOf } from '../../base/errors.js';
import type { ContainerInspection } from '../../docker/runtime-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { ensureHairpin } from '../network/hairpin.js';
import { hostnameOf, podUidOf } from '../pod/pod-names.js';
import { PodFailure, type PodRuntime, type RuntimeSandbox } from '../types.js';
import { createContainer } from './create-container.js';
import type { Inspected } from './inspections.js';
import { makeContainerName, sandboxContainerName } from './naming.js';
import { resolvConfPath, writeResolvConf } from './resolv-conf-file.js';
import { logConfig } from './resources.js';
import { engineRuntimeOf, type RuntimeParts } from './runtime-parts.js';
import { makeSandboxBody, type OwnNetwork } from './sandbox-body.js';

/** See `PodRuntime.runPodSandbox`. What fails after its creation is removed again. */
export function createSandboxRunner(parts: RuntimeParts): PodRuntime['runPodSandbox'] {
  const { options, inspections, cgroups } = parts;
  const { engine, identity, logger, info } = options;
  const pull = createOnce(() => engine.pullImage(options.pauseImage));

  /** Undefined where the engine connects the pod: also one that wants no resolver file but the engine's. */
  const planNetwork = async (pod: V1Pod, resolvConf: Promise<string>): Promise<OwnNetwork | undefined> => {
    const plan = await options.network?.planFor(pod);
    if (!plan) return undefined;
    const text = await resolvConf;
    if (text === '') return undefined;
    const path = resolvConfPath(identity, pod);
    await writeResolvConf(path, text);
    return { sysctls: plan.sysctls, resolvConfPath: path };
  };
  const create = async (pod: V1Pod, attempt: number, ownNetwork: OwnNetwork | undefined): Promise<string> => {
    const { hostname, fqdn } = hostnameOf(pod, options.nodeHostname, options.clusterDomain);
    const body = makeSandboxBody({
      pod,
      attempt,
      identity,
      pauseImage: options.pauseImage,
      hostname: fqdn ?? hostname,
      cgroupParent: cgroups.parentOf(pod),
      runtime: await engineRuntimeOf(pod, options.runtimeHandlerOf, info),
      logConfig: logConfig(options.containerLogMaxSize, options.containerLogMaxFiles),
      ownNetwork,
    });
    const name = makeContainerName({ ...nameParts(pod), container: sandboxContainerName, attempt });
    try {
      return await createContainer(engine, name, body, logger);
    } catch (error) {
      if (!isHyperupError(error, 'NotFound')) throw error;
      // The image went, or never was here.
      await pull();
      return await createContainer(engine, name, body, logger);
    }
  };
  const start = async (pod: V1Pod, id: string, resolvConf: Promise<string>): Promise<RuntimeSandbox> => {
    inspections.made(id);
    await engine.startContainer(id);
    const connect = async ({ pid }: ContainerInspection) => (await options.network?.attach(pid)) ?? [];
    const [inspected] = await Promise.all([inspections.fresh(id, connect), cgroups.apply(pod)]);
    if (!inspected?.sandbox) throw new PodFailure('CreatePodSandboxError', 'it was removed as soon as it had started');
    const { pid, networkMode, ips } = inspected.inspection;
    if (inspected.labels.resolvConfPath === undefined) {
      await Promise.all([
        resolvConf.then((text) => rewriteResolvConf(identity.hostRoot, inspected, text)),
        networkMode === 'host' ? undefined : ensureHairpin({ pid, ips, logger }),
      ]);
    }
    if (inspected.sandbox.state !== 'ready') {
      const { exitCode, error } = inspected.inspection;
      throw new PodFailure('CreatePodSandboxError', `it ended at once with exit code ${exitCode} ${error}`.trim());
    }
    return inspected.sandbox;
  };
  return async (pod, attempt) => {
    const podName = pod.metadata?.name ?? '';
    const resolvConf = options.resolvConfFor(pod);
    // Asked for early, looked at late.
    resolvConf.catch(() => {});
    const id = await planNetwork(pod, resolvConf)
      .then((ownNetwork) => create(pod, attempt, ownNetwork))
      .catch((error: unknown) => {
        throw sandboxFailure(`failed to create a sandbox for pod "${podName}"`, error);
      });
    try {
      return await start(pod, id, resolvConf);
    } catch (error) {
      inspections.forget(id);
      await engine.removeContainer(id).catch((removal: unknown) => {
        logger.warn('Could not remove a sandbox that did not start', {
          pod: podName,
          podUID: podUidOf(pod),
          containerID: id,
          err: messageOf(removal),
        });
      });
      throw sandboxFailure(`failed to start sandbox container for pod "${podName}"`, error);
    }
  };
}

function nameParts(pod: V1Pod) {
  return { pod: pod.metadata?.name ?? '', namespace: pod.metadata?.namespace ?? '', uid: podUidOf(pod) };
}

function sandboxFailure(what: string, error: unknown): PodFailure {
  return new PodFailure('CreatePodSandboxError', `${what}: ${messageOf(error)}`, error);
}

/**
 * Rewrites what the engine wrote, in place: all of the pod's containers have this very file mounted. Empty text leaves it.
 */
async function rewriteResolvConf(hostRoot: string, inspected: Inspected, text: string): Promise<void> {
  const path = inspected.inspection.resolvConfPath;
  if (text === '' || path === '') return;
  const file = await open(`${hostRoot}${path}`, 'r+');
  try {
    await file.truncate(0);
    await file.write(text, 0);
  } finally {
    await file.close();
  }
}

/** The same work for all who ask while it runs. */
function createOnce(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}
