import type { Clock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';
import { excerptSourceLines, logExcerpt } from '../base/log-excerpt.js';
import { waitFor } from '../base/wait.js';
import type { ContainerDetails, ContainerEngine, ContainerSpec } from '../docker/types.js';

/** Starts, stops and watches the node's kubelet. Every call may be repeated. */
export interface ContainerNodeAgent {
  /** Makes the container, replacing an earlier one, so that starting it takes no time. */
  prepare(): Promise<void>;
  /** Starts the kubelet in the container that was prepared, or in a new one. Gives the container's id. */
  start(): Promise<string>;
  /** Resolves when the kubelet's own health endpoint says ok. Throws `Unhealthy` with its last log lines. */
  waitHealthy(timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** Throws `Unhealthy` with its last log lines where the kubelet has ended for good, or ends time and again. */
  assertAlive(): Promise<void>;
  inspect(): Promise<ContainerDetails | undefined>;
  /** Ends it at once and removes the container; its pods go on running. */
  remove(): Promise<void>;
  lastLog(lines: number): Promise<string>;
}

export interface ContainerNodeAgentOptions {
  readonly engine: ContainerEngine;
  readonly spec: ContainerSpec;
  /** Plain HTTP on loopback, asked without credentials. */
  readonly checkHealth: (signal: AbortSignal | undefined) => Promise<void>;
  readonly clock: Clock;
}

/** Our container of that name; a foreign one of the same name is a conflict, never ours to remove. */
async function findOwn(engine: ContainerEngine, spec: ContainerSpec): Promise<ContainerDetails | undefined> {
  const found = await engine.inspectContainer(spec.name);
  if (!found) return undefined;
  for (const [key, value] of Object.entries(spec.labels ?? {})) {
    if (found.labels[key] !== value) {
      throw new HyperupError(
        'Conflict',
        `start container ${spec.name}: the name is taken by a container of somebody else's`,
        {
          hint: `Rename or remove it (docker rename ${spec.name} other), or install with another --name.`,
          details: { containerID: found.id },
        },
      );
    }
  }
  return found;
}

export function createContainerNodeAgent(options: ContainerNodeAgentOptions): ContainerNodeAgent {
  const { engine, spec, clock } = options;

  let preparedId: string | undefined;

  async function remove(): Promise<void> {
    const found = await findOwn(engine, spec);
    if (found) await engine.removeContainer(found.id, { force: true });
  }

  async function prepare(): Promise<void> {
    await remove();
    preparedId = await engine.createContainer(spec);
  }

  async function start(): Promise<string> {
    if (preparedId === undefined) await prepare();
    const id = preparedId ?? '';
    preparedId = undefined;
    await engine.startContainer(id);
    return id;
  }

  async function lastLog(lines: number): Promise<string> {
    const found = await findOwn(engine, spec);
    return found ? logExcerpt(await engine.tailLogs(found.id, excerptSourceLines), lines) : '';
  }

  async function unhealthy(reason: string, cause?: unknown): Promise<HyperupError> {
    const output = await lastLog(25).catch(() => '');
    return new HyperupError('Unhealthy', `start the kubelet: ${reason}`, {
      cause,
      output,
      details: { component: 'kubelet' },
    });
  }

  async function assertAlive(): Promise<void> {
    const found = await findOwn(engine, spec);
    // A kubelet that ended in the first seconds is restarted over and over: its log says why.
    const isEnded = found?.state === 'exited' && (spec.restart ?? 'no') === 'no';
    if (!found || isEnded || found.restartCount >= 3) throw await unhealthy('it ends right after its start');
  }

  return {
    prepare,
    start,
    lastLog,
    assertAlive,
    inspect: () => findOwn(engine, spec),
    async waitHealthy(timeoutMs, signal) {
      try {
        await waitFor(
          'the kubelet',
          async () => {
            await assertAlive();
            await options.checkHealth(signal);
            return { done: true, value: undefined };
          },
          { clock, timeoutMs, intervalMs: 150, signal },
        );
      } catch (error) {
        if (error instanceof HyperupError && error.code === 'Timeout')
          throw await unhealthy('no healthy answer', error);
        throw error;
      }
    },
    remove,
  };
}
