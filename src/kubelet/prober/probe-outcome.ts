import { HyperupError } from '../../base/errors.js';
import type { IntOrString } from '../../kube/objects.js';
import type { V1Container } from '../../kube/pod-objects.js';

/** What one probe found. A probe that could not be made at all throws instead. */
export interface ProbeOutcome {
  /** `warning` counts as success and is told. */
  readonly result: 'success' | 'warning' | 'failure';
  /** Why, for the event. */
  readonly output: string;
}

/** Output and bodies are read up to here, in bytes. */
export const outputLimitBytes = 10 * 1024;

/**
 * The number of a port: given, of the container's port of that name, or a number as text. Throws `InvalidConfig` (v1.20
 * `prober/prober.go` `extractPort`).
 */
export function portNumber(port: IntOrString, container: V1Container): number {
  const named =
    typeof port === 'string' ? container.ports?.find(({ name }) => name === port)?.containerPort : undefined;
  const number = named ?? Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw new HyperupError('InvalidConfig', `invalid port number: ${port}`, { details: { port } });
}
