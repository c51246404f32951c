import { HyperupError } from '../base/errors.js';
import { withDeadline } from './deadline.js';
import { makeDemultiplexer } from './demultiplex.js';
import { pollUntil } from './poll.js';
import { pathOf } from './reference-parts.js';
import { consume } from './stream-errors.js';
import type { Transport } from './transport.js';
import type { ExecResult } from './types.js';

/** How long the engine may take to note the exit of a command whose output has ended. */
const exitNotedMs = 10_000;

export interface ExecOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a command in a running container, without terminal and stdin. The exit code is asked for after both streams
 * ended, so that neither output nor code is cut short; a program that can't be found shows as exit code 126 or 127.
 * On `Timeout` and `Aborted` the command itself goes on: Docker has no call that stops it.
 * Errors: `NotFound`, `Conflict` (container not running), `EngineUnreachable`, `Timeout`, `Aborted`.
 */
export function execInContainer(
  transport: Transport,
  id: string,
  command: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const action = `run ${command[0] ?? ''} in container ${id}`;
  return withDeadline(
    action,
    { clock: transport.clock, timeoutMs: options.timeoutMs, signal: options.signal },
    async (signal) => {
      const created = await transport.call({
        action,
        method: 'POST',
        path: `/containers/${pathOf(id)}/exec`,
        body: { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: command },
        signal,
      });
      const path = `/exec/${(created.body as { Id: string }).Id}`;
      const output = await readOutput(transport, action, path, signal);
      return { exitCode: await readExitCode(transport, action, path, signal), ...output };
    },
  );
}

async function readOutput(transport: Transport, action: string, path: string, signal: AbortSignal) {
  const response = await transport.open({
    action,
    method: 'POST',
    path: `${path}/start`,
    body: { Detach: false, Tty: false },
    signal,
  });
  const output: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] };
  const demultiplexer = makeDemultiplexer(false);
  await consume(action, transport, response, [signal], async () => {
    for await (const chunk of response) {
      for (const { stream, data } of demultiplexer.push(chunk as Buffer)) output[stream].push(data);
    }
  });
  // The answer has no length, so an engine that goes away looks like an end: only the framing can tell.
  if (demultiplexer.partial) throw new HyperupError('EngineFailed', `${action}: the output was cut off`);
  return {
    stdout: Buffer.concat(output.stdout).toString('utf8'),
    stderr: Buffer.concat(output.stderr).toString('utf8'),
  };
}

/** The exit code of the exec at `/exec/<id>`, asked for until the engine has noted it; `Timeout` after 10 s. */
export function readExitCode(
  transport: Transport,
  action: string,
  path: string,
  signal?: AbortSignal,
): Promise<number> {
  return pollUntil(
    `${action}: its exit code`,
    async () => {
      const { body } = await transport.call({ action, method: 'GET', path: `${path}/json`, signal });
      const { Running: running, ExitCode: exitCode } = body as { Running: boolean; ExitCode: number | null };
      return running || exitCode === null ? undefined : exitCode;
    },
    { clock: transport.clock, timeoutMs: exitNotedMs, intervalMs: 20, ...(signal ? { signal } : {}) },
  );
}
