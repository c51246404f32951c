import { readExitCode } from './exec.js';
import { makeProcessStreams } from './process-streams.js';
import { pathOf } from './reference-parts.js';
import type { ContainerLogOptions, ExecSpec, ProcessStreams, RunningExec, TerminalSize } from './runtime-types.js';
import { streamError } from './stream-errors.js';
import { shortCallMs, type Transport } from './transport.js';

/**
 * The engine takes ctrl-p ctrl-q for its own wherever nothing else is named, and an empty list means that too: keys
 * that nobody types in this order.
 */
const detachKeys = 'ctrl-^,ctrl-_,ctrl-@,ctrl-^,ctrl-_,ctrl-@';

/**
 * Starts a command in a running container. `NotFound`; `Conflict` where it doesn't run. The engine gives the streams
 * before it starts the process: for a moment its `pid` is 0. A program that can't be run is exit code 126 or 127, with
 * the engine's word on it as output.
 */
export async function startExec(transport: Transport, id: string, spec: ExecSpec): Promise<RunningExec> {
  const action = `run ${spec.command[0] ?? ''} in container ${id}`;
  const { body } = await transport.call({
    action,
    method: 'POST',
    path: `/containers/${pathOf(id)}/exec`,
    body: {
      AttachStdin: spec.stdin,
      AttachStdout: true,
      AttachStderr: !spec.tty,
      Tty: spec.tty,
      Cmd: spec.command,
      DetachKeys: detachKeys,
    },
  });
  const execId = (body as { Id: string }).Id;
  const path = `/exec/${execId}`;
  const socket = await transport.upgrade({ action, path: `${path}/start`, body: { Detach: false, Tty: spec.tty } });
  const streams = makeProcessStreams(socket, {
    tty: spec.tty,
    stdin: spec.stdin,
    toError: (error) => streamError(action, transport, error),
  });
  return {
    ...streams,
    execId,
    resize: (size) => resize(transport, path, `resize the terminal of exec ${execId}`, size),
    exitCode: async () => {
      await streams.ended;
      return readExitCode(transport, action, path);
    },
    pid: async () => {
      const answer = await transport.call({ action: `inspect exec ${execId}`, method: 'GET', path: `${path}/json` });
      const { Running: running, Pid: pid } = answer.body as { Running: boolean; Pid?: number };
      return running ? (pid ?? 0) : 0;
    },
  };
}

/** The streams of a container's own process, from now on. `NotFound`, `Conflict`. */
export async function attachContainer(
  transport: Transport,
  id: string,
  { stdin, tty }: { readonly stdin: boolean; readonly tty: boolean },
): Promise<ProcessStreams> {
  const action = `attach to container ${id}`;
  const socket = await transport.upgrade({
    action,
    path: `/containers/${pathOf(id)}/attach`,
    query: { stream: true, stdin, stdout: true, stderr: true, detachKeys },
  });
  return makeProcessStreams(socket, { tty, stdin, toError: (error) => streamError(action, transport, error) });
}

/** A container's log as the engine keeps it; `Aborted` by the signal. Without `follow` it ends with what there is. */
export async function containerLogs(
  transport: Transport,
  id: string,
  tty: boolean,
  options: ContainerLogOptions,
): Promise<ProcessStreams> {
  const action = `read the log of container ${id}`;
  const response = await transport.open({
    action,
    method: 'GET',
    path: `/containers/${pathOf(id)}/logs`,
    query: {
      stdout: true,
      stderr: true,
      follow: options.follow ?? false,
      tail: options.tail ?? 'all',
      timestamps: options.timestamps ?? false,
      since: options.sinceMs === undefined ? undefined : toSeconds(options.sinceMs),
    },
    timeoutMs: shortCallMs,
    signal: options.signal,
  });
  return makeProcessStreams(response, {
    tty,
    stdin: false,
    toError: (error) => streamError(action, transport, error, options.signal),
  });
}

/** As the engine reads a time: whole seconds, a point, nanoseconds. One number has not digits enough for both. */
function toSeconds(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${seconds}.${String(Math.floor((ms - seconds * 1000) * 1e6)).padStart(9, '0')}`;
}

/** Sets the size of a container's terminal (`/containers/<id>`) or of an exec's (`/exec/<id>`), in characters. */
export async function resize(transport: Transport, path: string, action: string, size: TerminalSize): Promise<void> {
  await transport.call({ action, method: 'POST', path: `${path}/resize`, query: { h: size.height, w: size.width } });
}
