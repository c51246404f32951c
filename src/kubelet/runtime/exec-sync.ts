import type { Clock } from '../../base/clock.js';
import { HyperupError } from '../../base/errors.js';
import type { RunningExec, RuntimeEngine } from '../../docker/runtime-types.js';
import type { ContainerId, PodRuntime } from '../types.js';

export interface ExecSyncOptions {
  readonly engine: Pick<RuntimeEngine, 'startExec'>;
  readonly clock: Clock;
  /** Ends a process of the host's; throws where it can't. The kubelet shares the host's PID namespace. */
  readonly killProcess: (pid: number) => void;
}

/** See `PodRuntime.execSync`. Output beyond the limit is read and dropped, so that the process never waits for it. */
export function createExecSync(options: ExecSyncOptions): PodRuntime['execSync'] {
  const { engine, clock, killProcess } = options;
  return async (id: ContainerId, command, { timeoutMs, limitBytes, signal }) => {
    const end = new AbortController();
    const stops = stopsOf(command, timeoutMs, clock, AbortSignal.any(signal ? [end.signal, signal] : [end.signal]));
    const starting = engine.startExec(id, { command, stdin: false, tty: false });
    try {
      const exec = await Promise.race([starting, stops]);
      const output = collect(exec, limitBytes);
      const finish = async () => {
        await exec.ended;
        return { exitCode: await exec.exitCode(), output: output() };
      };
      return await Promise.race([finish(), stops]);
    } catch (error) {
      // Whatever it was, nobody waits for the process any more.
      void starting.then((exec) => endProcess(exec, killProcess)).catch(() => {});
      throw error;
    } finally {
      end.abort();
    }
  };
}

/** Rejects with `Timeout` or `Aborted`; stays open after `end`. */
function stopsOf(
  command: readonly string[],
  timeoutMs: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<never> {
  const action = `run ${command.join(' ')}`;
  const stops = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new HyperupError('Aborted', `${action}: interrupted`)), {
      once: true,
    });
    if (signal.aborted) reject(new HyperupError('Aborted', `${action}: interrupted`));
    if (timeoutMs === undefined) return;
    clock.sleep(timeoutMs, signal).then(
      () => reject(new HyperupError('Timeout', `command "${command.join(' ')}" timed out after ${timeoutMs / 1000}s`)),
      () => {},
    );
  });
  // After the end nobody listens.
  stops.catch(() => {});
  return stops;
}

function collect(exec: RunningExec, limitBytes: number): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  const take = (chunk: Buffer | string) => {
    const bytes = Buffer.from(chunk);
    const part = bytes.subarray(0, Math.max(0, limitBytes - size));
    size += part.length;
    if (part.length > 0) chunks.push(part);
  };
  exec.stdout.on('data', take);
  exec.stderr.on('data', take);
  // Failures arrive by `ended`.
  exec.stdout.on('error', () => {});
  exec.stderr.on('error', () => {});
  return () => Buffer.concat(chunks).toString('utf8');
}

async function endProcess(exec: RunningExec, killProcess: (pid: number) => void): Promise<void> {
  exec.ended.catch(() => {});
  try {
    const pid = await exec.pid();
    // 0 and 1 would be this process's own group and the machine.
    if (pid > 1) killProcess(pid);
  } finally {
    exec.destroy();
  }
}
