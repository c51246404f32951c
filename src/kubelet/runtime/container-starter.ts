import { messageOf } from '../../base/errors.js';
import { podUidOf } from '../pod/pod-names.js';
import { type ContainerId, PodFailure, type PodRuntime, type StartContainerRequest } from '../types.js';
import { makeContainerBody } from './container-body.js';
import { createContainer } from './create-container.js';
import type { LogOwner } from './log-links.js';
import { makeContainerName } from './naming.js';
import { profileOptions } from './profiles.js';
import { resolvConfBinds } from './resolv-conf-file.js';
import { logConfig } from './resources.js';
import { engineRuntimeOf, type RuntimeParts } from './runtime-parts.js';
import { type ImageUser, parseImageUser, verifyRunAsNonRoot } from './security.js';

/**
 * See `PodRuntime.startContainer`. A container that doesn't start stays, with its log and its exit code, as upstream
 * leaves it.
 */
export function createContainerStarter(parts: RuntimeParts): PodRuntime['startContainer'] {
  const { options, inspections, links, cgroups, seccomp } = parts;
  const { engine, identity, info, logger } = options;

  const imageUserOf = async (request: StartContainerRequest): Promise<ImageUser> => {
    try {
      const user = parseImageUser((await inspections.image(request.imageId))?.user ?? '');
      verifyRunAsNonRoot(request.pod, request.container, user);
      return user;
    } catch (error) {
      if (error instanceof PodFailure) throw error;
      throw new PodFailure('CreateContainerConfigError', messageOf(error), error);
    }
  };
  const create = async (request: StartContainerRequest, owner: Omit<LogOwner, 'id'>, imageUser: ImageUser) => {
    const { pod, container, sandbox, binds } = request;
    try {
      const resolver = await resolvConfBinds(sandbox, container, binds, () => options.resolvConfFor(pod));
      const body = makeContainerBody({
        request: { ...request, binds: [...binds, ...resolver] },
        identity,
        imageUser,
        profiles: await profileOptions(pod, container, seccomp),
        logPath: links.pathOf(owner),
        cgroupParent: cgroups.parentOf(pod),
        runtime: await engineRuntimeOf(pod, options.runtimeHandlerOf, info),
        logConfig: logConfig(options.containerLogMaxSize, options.containerLogMaxFiles),
        nodeMemoryBytes: options.nodeMemoryBytes,
        podPidsLimit: options.podPidsLimit,
        cgroupVersion: info.cgroupVersion,
        apiVersion: engine.apiVersion,
      });
      const name = makeContainerName({
        container: owner.containerName,
        pod: owner.podName,
        namespace: owner.namespace,
        uid: owner.podUid,
        attempt: owner.attempt,
      });
      return await createContainer(engine, name, body, logger, (id) => links.remove({ ...owner, id }));
    } catch (error) {
      throw new PodFailure('CreateContainerError', messageOf(error), error);
    }
  };
  /** Also after a failed start, whose exit code is worth knowing. Its own failure is the next status's matter. */
  const lookAt = async (id: ContainerId, owner: Omit<LogOwner, 'id'>): Promise<void> => {
    try {
      const inspected = await inspections.fresh(id);
      await links.make({ ...owner, id }, inspected?.inspection.logPath ?? '');
    } catch (error) {
      logger.debug('Could not inspect a container that was started', { containerID: id, err: messageOf(error) });
    }
  };
  return async (request) => {
    const { pod, container, attempt } = request;
    const owner = {
      podUid: podUidOf(pod),
      podName: pod.metadata?.name ?? '',
      namespace: pod.metadata?.namespace ?? '',
      containerName: container.name,
      attempt,
    };
    const id = await create(request, owner, await imageUserOf(request));
    inspections.made(id);
    try {
      await engine.startContainer(id);
    } catch (error) {
      await lookAt(id, owner);
      throw new PodFailure('RunContainerError', `failed to start container "${id}": ${messageOf(error)}`, error);
    }
    await lookAt(id, owner);
    return id;
  };
}
