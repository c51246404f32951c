import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import type { Clock } from '../../../src/base/clock.js';
import { HyperupError } from '../../../src/base/errors.js';
import { silentLogger } from '../../../src/base/logger.js';
import type { CommandOptions, CommandResult } from '../../../src/base/run-command.js';
import type { Engine } from '../../../src/docker/types.js';
import type { EngineRuntime } from '../../../src/engine/engine-runtime.js';

type Command = (
  args: readonly string[],
  options: CommandOptions,
) => Partial<CommandResult> | Promise<Partial<CommandResult>>;

/** A machine in a temporary folder. Programs that were not arranged throw; so does the engine until it `answers`. */
export interface FakeMachine {
  readonly runtime: EngineRuntime;
  /** Every command that was run, as one line. */
  readonly commands: readonly string[];
  readonly environments: readonly (Readonly<Record<string, string>> | undefined)[];
  readonly spawned: readonly string[];
  readonly signals: readonly string[];
  /** Milliseconds that were slept. */
  readonly slept: () => number;
  write(path: string, text: string, mode?: number): Promise<void>;
  path(path: string): string;
  /** Puts a program there, and says what running it does. */
  program(path: string, command?: Command): Promise<void>;
  process(pid: number, exe: string, args?: readonly string[]): Promise<void>;
  /** The engine that answers from now on, or the failure of connecting. */
  answers(engine: Engine | HyperupError): void;
  onSleep(work: () => void | Promise<void>): void;
  onSignal(work: (signal: string) => void | Promise<void>): void;
  onSpawn(work: () => { readonly ended?: string } | Promise<{ readonly ended?: string }>): void;
}

/** What connecting says where nothing listens on the default socket. */
export function noEngine(address = 'unix:///var/run/docker.sock', reason = 'there is no such socket'): HyperupError {
  return new HyperupError('EngineUnreachable', `no engine answers: ${address}: ${reason}`, {
    hint: 'Start Docker.',
    details: { tried: [{ address, source: 'default socket', reason }] },
  });
}

export async function makeFakeMachine(test: Test, options: { readonly isRoot?: boolean } = {}): Promise<FakeMachine> {
  const root = await mkdtemp(join(tmpdir(), 'engine-machine-'));
  test.teardown(() => rm(root, { recursive: true, force: true }));
  const commands: string[] = [];
  const environments: (Readonly<Record<string, string>> | undefined)[] = [];
  const spawned: string[] = [];
  const signals: string[] = [];
  const programs = new Map<string, Command>();
  let engine: Engine | HyperupError = noEngine();
  let slept = 0;
  let signalled: Promise<void> = Promise.resolve();
  let onSleep: () => void | Promise<void> = () => {};
  let onSignal: (signal: string) => void | Promise<void> = () => {};
  let onSpawn: () => { readonly ended?: string } | Promise<{ readonly ended?: string }> = () => {
    throw new Error('nothing was arranged for a daemon that is spawned');
  };
  const clock: Clock = {
    now: () => slept,
    monotonicMs: () => slept,
    sleep: async (ms) => {
      slept += ms;
      // Whoever was signalled has done what it does by the next look.
      await signalled;
      await onSleep();
    },
  };
  const machine: Omit<FakeMachine, 'runtime'> = {
    commands,
    environments,
    spawned,
    signals,
    slept: () => slept,
    path: (path) => join(root, path),
    write: async (path, text, mode = 0o644) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
      await chmod(join(root, path), mode);
    },
    program: async (path, command) => {
      await machine.write(path, '', 0o755);
      if (command) programs.set(path.slice(path.lastIndexOf('/') + 1), command);
    },
    process: async (pid, exe, args = []) => {
      await machine.write(`/proc/${pid}/cmdline`, `${[exe, ...args].join('\0')}\0`);
      await symlink(exe, join(root, `/proc/${pid}/exe`));
    },
    answers: (next) => {
      engine = next;
    },
    onSleep: (work) => {
      onSleep = work;
    },
    onSignal: (work) => {
      onSignal = work;
    },
    onSpawn: (work) => {
      onSpawn = work;
    },
  };
  const runtime: EngineRuntime = {
    clock,
    logger: silentLogger,
    isRoot: options.isRoot ?? true,
    host: {
      root,
      run: async (file, args, commandOptions = {}) => {
        const command = [file, ...args].join(' ');
        commands.push(command);
        environments.push(commandOptions.env);
        const program = programs.get(file);
        if (!program) throw new Error(`no program was arranged for: ${command}`);
        const result = { command, exitCode: 0, stdout: '', stderr: '', ...(await program(args, commandOptions)) };
        for (const line of result.stdout.split('\n').filter(Boolean)) commandOptions.onLine?.(line);
        return result;
      },
    },
    connect: async () => {
      if (engine instanceof HyperupError) throw engine;
      return engine;
    },
    spawnDaemon: async (file, args) => {
      spawned.push([file, ...args].join(' '));
      const { ended } = await onSpawn();
      return { pid: 77, ended: ended === undefined ? new Promise(() => {}) : Promise.resolve(ended) };
    },
    sendSignal: (pid, signal) => {
      signals.push(`${signal} ${pid}`);
      signalled = Promise.resolve(onSignal(signal));
    },
  };
  return { ...machine, runtime };
}
