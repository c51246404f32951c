import { messageOf } from '../../base/errors.js';
import type { V1Status } from '../../kube/objects.js';

/** Outcome of a command that has ended. Source: remotecommand/exec.go and dockershim's exec error, v1.20. */
export function exitStatus(exitCode: number): V1Status {
  if (exitCode === 0) return { status: 'Success' };
  return {
    status: 'Failure',
    message: `command terminated with non-zero exit code: Error executing in Docker Container: ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** Outcome of what could not be done; `action` as `error executing command in container`. */
export function failureStatus(action: string, error: unknown): V1Status {
  const text = `${action}: ${messageOf(error)}`;
  return {
    status: 'Failure',
    message: `Internal error occurred: ${text}`,
    reason: 'InternalError',
    details: { causes: [{ message: text }] },
    code: 500,
  };
}

/** As the error stream carries it: JSON from version 4 on; before, text, and nothing for a success. */
export function statusText(status: V1Status, asJson: boolean): string {
  if (asJson) return JSON.stringify({ metadata: {}, ...status });
  return status.status === 'Success' ? '' : (status.message ?? '');
}
