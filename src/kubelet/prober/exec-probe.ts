import { isHyperupError } from '../../base/errors.js';
import type { V1Container } from '../../kube/pod-objects.js';
import { expand } from '../pod/expansion.js';
import type { ContainerId, PodRuntime } from '../types.js';
import { outputLimitBytes, type ProbeOutcome } from './probe-outcome.js';

/**
 * Success where the command exits with 0 in time. Variables in it are those that the specification gives a value itself.
 * Throws what kept the engine from running it (v1.20 `pkg/probe/exec/exec.go`, `ExpandContainerCommandOnlyStatic`).
 */
export async function probeExec(
  execSync: PodRuntime['execSync'],
  id: ContainerId,
  container: V1Container,
  command: readonly string[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ProbeOutcome> {
  const values = new Map(container.env?.map(({ name, value = '' }) => [name, value]));
  const expanded = command.map((part) => expand(part, (name) => values.get(name)));
  try {
    const { exitCode, output } = await execSync(id, expanded, { ...options, limitBytes: outputLimitBytes });
    return { result: exitCode === 0 ? 'success' : 'failure', output };
  } catch (error) {
    if (!isHyperupError(error, 'Timeout')) throw error;
    const seconds = options.timeoutMs / 1000;
    return { result: 'failure', output: `command "${expanded.join(' ')}" timed out after ${seconds}s` };
  }
}
