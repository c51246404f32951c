import { HyperupError, isHyperupError } from '../base/errors.js';
import { type EmitProgress, ignoreProgress } from '../base/progress.js';
import { waitFor } from '../base/wait.js';
import type { EngineInfo } from '../docker/types.js';
import { hostPath } from '../host/host.js';
import { findDockerd, removeStalePidFiles } from './dockerd-process.js';
import type { EngineRuntime } from './engine-runtime.js';
import { daemonLogPath, engineLogTail, logSize } from './log-tail.js';
import { type ServiceManager, startCommands } from './service-manager.js';
import type { Daemon } from './spawn-daemon.js';

/** How long a service manager may take to say that the service is up, milliseconds. */
const serviceMs = 120_000;

export interface StartOptions {
  readonly manager: ServiceManager;
  /** The path of dockerd, for a machine without a service manager. */
  readonly dockerd: string;
  /** How long the engine may take to answer, milliseconds. */
  readonly timeoutMs: number;
  readonly emit?: EmitProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The step under which progress of installing and starting is reported. */
export const installStep = 'engine-install';

/**
 * Starts the engine and waits until it answers. A dockerd that runs already is only waited for.
 * Errors: `EngineFailed` with the end of the engine's log where it gives up, `Timeout` likewise; `Aborted`.
 */
export async function startEngine(runtime: EngineRuntime, options: StartOptions): Promise<EngineInfo> {
  const { host } = runtime;
  const { manager } = options;
  const logBegin = await logSize(host);
  let daemon: Daemon | undefined;
  const running = await findDockerd(host);
  if (running) runtime.logger.info('a dockerd runs already and is waited for', { pid: running.pid });
  else if (manager === 'none') daemon = await startByHand(runtime, options.dockerd);
  else await startAsService(runtime, manager, options.signal);
  try {
    return await awaitEngine(runtime, options, daemon);
  } catch (error) {
    if (!isHyperupError(error) || error.code === 'Aborted') throw error;
    const output = await engineLogTail(host, manager, logBegin);
    throw new HyperupError(error.code, error.message, {
      cause: error,
      details: error.details,
      hint: error.hint ?? `The engine's log, whose end is above, says why (${logPlace(manager)}).`,
      ...(output === '' ? {} : { output }),
    });
  }
}

async function startByHand(runtime: EngineRuntime, dockerd: string): Promise<Daemon> {
  for (const path of await removeStalePidFiles(runtime.host)) {
    runtime.logger.info('removed a pid file that named no such process', { path });
  }
  const daemon = await runtime.spawnDaemon(dockerd, [], hostPath(runtime.host, daemonLogPath));
  runtime.logger.info('started dockerd', { pid: daemon.pid, log: daemonLogPath });
  return daemon;
}

async function startAsService(
  runtime: EngineRuntime,
  manager: ServiceManager,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [file = '', ...args] of startCommands[manager]) {
    const result = await runtime.host.run(file, args, { timeoutMs: serviceMs, ...(signal ? { signal } : {}) });
    // Adding a service that was added already is no fault.
    if (result.exitCode === 0 || file === 'rc-update') continue;
    const log = await engineLogTail(runtime.host, manager);
    throw new HyperupError('EngineFailed', `start the engine: ${result.command} ended with code ${result.exitCode}`, {
      output: [result.stderr, log].filter(Boolean).join('\n'),
      hint: `The engine's log says why (${logPlace(manager)}).`,
    });
  }
}

/** Polls until it answers. Any other failure than silence (an engine too old, a refused socket) ends the wait at once. */
async function awaitEngine(
  runtime: EngineRuntime,
  options: StartOptions,
  daemon: Daemon | undefined,
): Promise<EngineInfo> {
  const { emit = ignoreProgress, signal, timeoutMs } = options;
  let ended: string | undefined;
  void daemon?.ended.then((reason) => {
    ended = reason;
  });
  const outcome = await waitFor<EngineInfo | HyperupError>(
    'the Docker Engine to answer',
    async () => {
      try {
        const engine = await runtime.connect(signal);
        try {
          return { done: true, value: await engine.info() };
        } finally {
          engine.close();
        }
      } catch (error) {
        if (isHyperupError(error) && !['EngineUnreachable', 'Timeout'].includes(error.code)) {
          return { done: true, value: error };
        }
        // One that the package itself had just started makes ours give up; it is waited for like ours.
        if (ended === undefined || (await findDockerd(runtime.host))) throw error;
        const message = `start the engine: dockerd gave up: ${ended}`;
        return { done: true, value: new HyperupError('EngineFailed', message) };
      }
    },
    {
      clock: runtime.clock,
      timeoutMs,
      signal,
      onWait: () => emit({ type: 'wait', step: installStep, reason: 'the Docker Engine does not answer yet' }),
    },
  );
  if (outcome instanceof HyperupError) throw outcome;
  return outcome;
}

function logPlace(manager: ServiceManager): string {
  return manager === 'systemd' ? '`journalctl -u docker`' : daemonLogPath;
}
