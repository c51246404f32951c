import type { V1ContainerStatus, V1Pod } from '../../kube/pod-objects.js';
import type { ContainerId } from '../types.js';
import { HttpFault } from './http-fault.js';

/** Whether the pod's specification has that container, of whichever kind. */
export function hasContainer(pod: V1Pod, name: string): boolean {
  const { spec } = pod;
  const lists = [spec?.initContainers, spec?.containers, spec?.ephemeralContainers];
  return lists.some((list) => list?.some((container) => container.name === name));
}

/**
 * The instance whose log is meant, by the pod's status. Throws an HttpFault 400 with the reason why there is none.
 * Source: kubelet_pods.go validateContainerLogStatus, v1.20.
 */
export function loggedContainerId(pod: V1Pod, name: string, previous: boolean): ContainerId {
  const what = `container "${name}" in pod "${pod.metadata?.name ?? ''}"`;
  const status = statusOf(pod, name);
  if (status === undefined) throw new HttpFault(400, `${what} is not available`);
  const { waiting, running, terminated } = status.state ?? {};
  const former = idOf(status.lastState?.terminated?.containerID);
  if (previous) {
    if (former === undefined) throw new HttpFault(400, `previous terminated ${what} not found`);
    return former;
  }
  if (running !== undefined) {
    const id = idOf(status.containerID);
    if (id === undefined) throw new HttpFault(400, `${what} is waiting to start - no logs yet`);
    return id;
  }
  if (terminated !== undefined || status.lastState?.terminated !== undefined) {
    // Where the next instance didn't start, there is only the former.
    const id = idOf(terminated?.containerID) ?? former;
    if (id === undefined) throw new HttpFault(400, `${what} is terminated`);
    return id;
  }
  if (waiting === undefined) throw new HttpFault(400, `${what} is waiting to start - no logs yet`);
  throw new HttpFault(400, `${what} is waiting to start: ${waitingText(waiting.reason ?? '')}`);
}

function statusOf(pod: V1Pod, name: string): V1ContainerStatus | undefined {
  const { status } = pod;
  const lists = [status?.containerStatuses, status?.initContainerStatuses, status?.ephemeralContainerStatuses];
  return lists.flatMap((list) => list ?? []).find((container) => container.name === name);
}

function waitingText(reason: string): string {
  if (reason === 'ErrImagePull') return "image can't be pulled";
  return reason === 'ImagePullBackOff' ? 'trying and failing to pull image' : reason;
}

/** Without `docker://`. */
function idOf(containerId: string | undefined): ContainerId | undefined {
  const id = containerId?.replace(/^[a-z-]+:\/\//, '');
  return id === undefined || id === '' ? undefined : id;
}
