import { HyperupError } from '../base/errors.js';
import { waitFor } from '../base/wait.js';
import type { ContainerEngine } from '../docker/types.js';
import type { HealthInputs, ProbedComponent } from './component-health.js';
import { lastAttemptsLog } from './component-last-log.js';
import { diagnose } from './diagnose.js';
import type { Runtime } from './runtime.js';

export interface WaitComponentOptions {
  readonly engine: ContainerEngine;
  readonly inputs: HealthInputs;
  readonly runtime: Pick<Runtime, 'clock' | 'signal'>;
  readonly timeoutMs: number;
  /** Between two questions. */
  readonly intervalMs: number;
  readonly onWait: (reason: string) => void;
  /** For components whose container can't be found: what the kubelet last said. */
  readonly kubeletLog: (lines: number) => Promise<string>;
}

const logLines = 25;

async function lastLog(component: ProbedComponent, options: WaitComponentOptions): Promise<string> {
  const { engine, inputs, kubeletLog } = options;
  if (component === 'kubelet') return kubeletLog(logLines);
  const log = await lastAttemptsLog(engine, component, inputs.cluster.nodeName, logLines);
  return log ?? `${component} has logged nothing; the kubelet:\n${await kubeletLog(logLines)}`;
}

/**
 * Waits until a component passes `check` (by default: is up). Throws `Unhealthy` with its last log lines and the likely
 * cause.
 */
export async function waitComponent<T>(
  component: ProbedComponent,
  options: WaitComponentOptions,
  check: (component: ProbedComponent, inputs: HealthInputs) => Promise<T>,
): Promise<T> {
  const { inputs, runtime, timeoutMs, intervalMs, onWait } = options;
  try {
    return await waitFor(component, async () => ({ done: true, value: await check(component, inputs) }), {
      clock: runtime.clock,
      timeoutMs,
      intervalMs,
      signal: runtime.signal,
      onWait: (why) => onWait(`${component}: ${why}`),
    });
  } catch (error) {
    if (!(error instanceof HyperupError) || error.code === 'Aborted') throw error;
    const output = await lastLog(component, options).catch(() => '');
    const found = diagnose(output);
    throw new HyperupError('Unhealthy', `start ${component}: ${error.message}${found ? `: ${found.cause}` : ''}`, {
      cause: error,
      output,
      details: { component },
      hint: found?.hint ?? error.hint ?? `hyperup logs ${component} shows more, with --keep-on-failure set at install.`,
    });
  }
}
