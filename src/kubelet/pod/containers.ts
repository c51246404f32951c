import { createHash } from 'node:crypto';
import type { V1Container, V1EphemeralContainer, V1Pod } from '../../kube/pod-objects.js';
import type { ContainerKind, ContainerWithKind } from '../types.js';

/** True for an init container that goes on beside the app containers (from 1.28). */
export function isSidecar(initContainer: V1Container): boolean {
  return initContainer.restartPolicy === 'Always';
}

/** All containers of a pod in its specification's order: init containers and sidecars, app, ephemeral. */
export function containersOf(pod: V1Pod): readonly ContainerWithKind[] {
  const withKind = (kind: ContainerKind) => (container: V1Container) => ({ container, kind });
  return [
    ...initContainersOf(pod),
    ...(pod.spec?.containers ?? []).map(withKind('app')),
    ...(pod.spec?.ephemeralContainers ?? []).map(withKind('ephemeral')),
  ];
}

/** Init containers and sidecars, in order. */
export function initContainersOf(pod: V1Pod): readonly ContainerWithKind[] {
  return (pod.spec?.initContainers ?? []).map((container) => ({
    container,
    kind: isSidecar(container) ? 'sidecar' : 'init',
  }));
}

/** By its name, which is unique over all kinds. */
export function findContainer(pod: V1Pod, name: string): ContainerWithKind | undefined {
  return containersOf(pod).find(({ container }) => container.name === name);
}

/** Whose processes an ephemeral container is to see. */
export function targetContainerName(container: V1EphemeralContainer): string | undefined {
  return container.targetContainerName || undefined;
}

/**
 * A stable hash of what a container is made from: another one means that it has to be made anew. Left out is what can be
 * changed while it runs (`resources`, `resizePolicy`). Order of fields and empty fields don't matter, so that the same
 * object hashes alike from a file, a list and a watch. 16 hexadecimal digits. Source: `pkg/kubelet/container/helpers.go`
 * `HashContainer` (v1.20).
 */
export function containerHash(container: V1Container): string {
  const { resources: _resources, resizePolicy: _resizePolicy, ...rest } = container;
  return createHash('sha256').update(canonicalJson(rest)).digest('hex').slice(0, 16);
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) => {
    if (field === null) return undefined;
    if (typeof field !== 'object' || Array.isArray(field)) return field;
    return Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
