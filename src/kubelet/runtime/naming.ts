import { randomBytes } from 'node:crypto';

/** The parts of a container's name on the engine. `container` is `POD` for a sandbox. */
export interface ContainerNameParts {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
}

/** The container name that sandboxes bear. */
export const sandboxContainerName = 'POD';

/** `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>` (v1.20 `dockershim/naming.go`); none of the parts has an underscore. */
export function makeContainerName(parts: ContainerNameParts): string {
  return ['k8s', parts.container, parts.pod, parts.namespace, parts.uid, parts.attempt].join('_');
}

/** The parts of such a name, with or without the slash that the engine puts before it; undefined for any other. */
export function parseContainerName(name: string): ContainerNameParts | undefined {
  const [prefix, container, pod, namespace, uid, attempt] = name.replace(/^\//, '').split('_');
  if (prefix !== 'k8s' || !container || !pod || !namespace || !uid || !/^\d+$/.test(attempt ?? '')) return undefined;
  return { container, pod, namespace, uid, attempt: Number(attempt) };
}

/** The same name with an end that no other has; it still parses. */
export function randomizeName(name: string): string {
  return `${name}_${randomBytes(4).toString('hex')}`;
}
