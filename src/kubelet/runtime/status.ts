import type { ContainerInspection, ContainerListing, EngineImage } from '../../docker/runtime-types.js';
import type { RuntimeContainer, RuntimeSandbox } from '../types.js';
import type { LabeledContainer } from './labels.js';

/** What the engine says of a container, as pods see it (v1.20 `dockershim/docker_container.go` `ContainerStatus`). */
export function makeRuntimeContainer(
  inspection: ContainerInspection,
  labels: LabeledContainer,
  image: EngineImage | undefined,
): RuntimeContainer {
  return {
    id: inspection.id,
    name: labels.containerName,
    podUid: labels.podUid,
    sandboxId: labels.sandboxId,
    attempt: labels.attempt,
    ...stateOf(inspection),
    createdAtMs: inspection.createdAtMs,
    message: inspection.error,
    image: shownImage(labels.image || inspection.imageName, image),
    imageId: pullableId(inspection.imageId, image),
    hash: labels.hash,
    pid: inspection.pid,
    logPath: inspection.logPath,
    tty: inspection.tty,
    openStdin: inspection.openStdin,
  };
}

type State = Pick<RuntimeContainer, 'state' | 'startedAtMs' | 'finishedAtMs' | 'exitCode' | 'reason'>;

function stateOf(inspection: ContainerInspection): State {
  const { startedAtMs, finishedAtMs, exitCode } = inspection;
  if (isRunning(inspection.status)) return { state: 'running', startedAtMs, finishedAtMs: 0, exitCode: 0, reason: '' };
  if (finishedAtMs !== 0) {
    const reason = inspection.oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
    return { state: 'exited', startedAtMs, finishedAtMs, exitCode, reason };
  }
  // It never ran. An exit code says that it should have.
  if (exitCode !== 0) {
    const at = inspection.createdAtMs;
    return { state: 'exited', startedAtMs: at, finishedAtMs: at, exitCode, reason: 'ContainerCannotRun' };
  }
  return { state: 'created', startedAtMs: 0, finishedAtMs: 0, exitCode: 0, reason: '' };
}

/** A paused container still holds what it has, so it counts as running. */
export function isRunning(status: ContainerListing['state']): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

/** What was asked for where the image bears that name, else its first tag. */
function shownImage(asked: string, image: EngineImage | undefined): string {
  const tags = image?.tags ?? [];
  const named = tags.find((tag) => tag === asked || tag === `${asked}:latest`);
  return named ?? tags[0] ?? asked;
}

/** `docker-pullable://<digest>` where the image came from a registry (v1.20 `dockershim/convert.go`). */
function pullableId(id: string, image: EngineImage | undefined): string {
  const digest = image?.digests[0];
  return digest === undefined ? `docker://${id}` : `docker-pullable://${digest}`;
}

export function makeRuntimeSandbox(inspection: ContainerInspection, labels: LabeledContainer): RuntimeSandbox {
  const running = isRunning(inspection.status);
  const hostNetwork = inspection.networkMode === 'host';
  return {
    id: inspection.id,
    podUid: labels.podUid,
    attempt: labels.attempt,
    state: running ? 'ready' : 'notReady',
    createdAtMs: inspection.createdAtMs,
    hostNetwork,
    ips: running && !hostNetwork ? inspection.ips : [],
    pid: inspection.pid,
    ...(labels.resolvConfPath === undefined ? {} : { resolvConfPath: labels.resolvConfPath }),
  };
}

/** Newest first: the later attempt, whatever the clock said when it was made. */
export function byNewest(
  a: { readonly createdAtMs: number; readonly attempt: number },
  b: { readonly createdAtMs: number; readonly attempt: number },
): number {
  return b.attempt - a.attempt || b.createdAtMs - a.createdAtMs;
}
