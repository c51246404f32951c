import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { HyperupError } from '../base/errors.js';
import type { CommandOptions, CommandResult, RunCommand } from '../base/run-command.js';
import { defaultTimeoutMs } from './run-command.js';
import { missingProgram, notStarted, timedOut } from './run-failures.js';

/** A `RunCommand` and the shells that it keeps. */
export interface ShellRunner {
  readonly run: RunCommand;
  /** Ends them, those that are at work once they have done it. */
  close(): void;
}

export interface ShellRunnerOptions {
  /** For what a shell can't do, and where there is none or all of them are busy. */
  readonly fallback: RunCommand;
  /** By default the `sh` on the PATH. */
  readonly shell?: string | undefined;
}

/** More at once go by the fallback, so that a program that hangs holds nobody. */
const maxShells = 8;
/** Kept for the next; the others end when they have nothing to do. */
const idleShells = 2;

/**
 * Runs programs from small shells that are kept, and else as `runCommand` does. A large process pays for each child: the
 * kernel copies its page tables, some ten milliseconds for a kubelet, where a shell takes less than one. Nothing is
 * expanded on the way: each word is quoted. Without `onLine`, `env` and `signal`; calls with those go by the fallback.
 */
export function createShellRunner({ fallback, shell = 'sh' }: ShellRunnerOptions): ShellRunner {
  const idle: Shell[] = [];
  const all = new Set<Shell>();
  let isMissing = false;
  let closed = false;

  const take = (): Shell | undefined => {
    const known = idle.pop();
    if (known || isMissing || closed || all.size >= maxShells) return known;
    const made = startShell(shell, (error) => {
      all.delete(made);
      if (idle.includes(made)) idle.splice(idle.indexOf(made), 1);
      if (error !== undefined) isMissing = true;
    });
    all.add(made);
    return made;
  };
  const giveBack = (used: Shell) => {
    if (used.ended()) return;
    if (!closed && idle.length < idleShells) idle.push(used);
    else used.end();
  };
  return {
    run: async (file, args, options = {}) => {
      const fits = options.onLine === undefined && options.env === undefined && options.signal === undefined;
      const used = fits && isPlain([file, ...args]) ? take() : undefined;
      if (!used) return await fallback(file, args, options);
      try {
        if (await used.started()) return await used.run(file, args, options);
      } finally {
        giveBack(used);
      }
      return await fallback(file, args, options);
    },
    close() {
      closed = true;
      for (const each of idle.splice(0)) each.end();
    },
  };
}

/** Of both streams, what was said and what stands behind the mark. */
type Output = readonly [readonly [text: string, rest: string], readonly [text: string, rest: string]];

interface Shell {
  /** False where there is no such program. */
  started(): Promise<boolean>;
  run(file: string, args: readonly string[], options: CommandOptions): Promise<CommandResult>;
  ended(): boolean;
  end(): void;
}

function startShell(shell: string, onEnd: (error: Error | undefined) => void): Shell {
  // A group of its own, so that a program that hangs can be ended with all that it has started.
  const child = spawn(shell, [], { stdio: 'pipe', detached: true });
  const token = randomBytes(12).toString('hex');
  let count = 0;
  let ended = false;
  let failed: ((error: unknown) => void) | undefined;
  const started = new Promise<boolean>((resolve) => {
    child.once('spawn', () => resolve(true));
    child.once('error', () => resolve(false));
  });
  const finish = (error: Error | undefined) => {
    if (ended) return;
    ended = true;
    failed?.(new HyperupError('HostChangeFailed', 'run a program: its shell ended', { cause: error }));
    onEnd(error);
  };
  child.once('error', finish);
  child.once('close', () => finish(undefined));
  child.stdin.on('error', () => {});
  child.stdin.write('LC_ALL=C; export LC_ALL\n');
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) unref(stream);

  return {
    started: () => started,
    ended: () => ended,
    end: () => void child.stdin.end(),
    run: async (file, args, { stdin, timeoutMs = defaultTimeoutMs }) => {
      const command = [file, ...args].join(' ');
      const words = [file, ...args].map(quote).join(' ');
      count += 1;
      const mark = `@${token}-${count}`;
      const input = stdin === undefined ? `${words} </dev/null` : `printf %s ${quote(stdin)} | ${words}`;
      const script = `${input}; s=$?; printf '\\n%s %s\\n' '${mark}' "$s"; printf '\\n%s\\n' '${mark}' >&2\n`;
      // It also keeps this process here for as long as somebody waits.
      let timer: NodeJS.Timeout | undefined;
      try {
        const [[stdout, code], [stderr]] = await new Promise<Output>((resolve, reject) => {
          failed = reject;
          timer = setTimeout(() => {
            reject(timedOut(command, timeoutMs));
            kill(child);
            finish(undefined);
          }, timeoutMs);
          Promise.all([readTo(child.stdout, mark), readTo(child.stderr, mark)]).then(resolve, reject);
          child.stdin.write(script);
        });
        return resultOf(command, file, { stdout, stderr, exitCode: Number(code) });
      } finally {
        failed = undefined;
        clearTimeout(timer);
      }
    },
  };
}

/** What comes before the line that begins with the mark, and what is behind the mark in that line. */
function readTo(stream: NodeJS.ReadableStream, mark: string): Promise<readonly [text: string, rest: string]> {
  return new Promise((resolve) => {
    let text = '';
    let searched = 0;
    const onData = (chunk: string) => {
      text += chunk;
      const at = text.indexOf(`\n${mark}`, searched);
      const end = at < 0 ? -1 : text.indexOf('\n', at + 1);
      // The mark may have come in two parts.
      if (at < 0) searched = Math.max(0, text.length - mark.length - 1);
      if (end < 0) return;
      stream.removeListener('data', onData);
      resolve([text.slice(0, at).replace(/\n$/, ''), text.slice(at + mark.length + 1, end).trim()]);
    };
    stream.setEncoding('utf8');
    stream.on('data', onData);
  });
}

function resultOf(command: string, file: string, of: { stdout: string; stderr: string; exitCode: number }) {
  const { stdout, stderr, exitCode } = of;
  if (exitCode === 127 && /\bsh: .*not found$/m.test(stderr)) throw missingProgram(command, file);
  if (exitCode === 126 && /\bsh: .*Permission denied$/m.test(stderr)) throw notStarted(command, 'EACCES');
  const signal = Object.entries(constants.signals).find(([, number]) => exitCode === 128 + number)?.[0];
  const ending = signal === undefined ? '' : `\nended by ${signal}`;
  return { command, exitCode, stdout, stderr: `${stderr}${ending}`.trimStart() };
}

/** No word may hold what no argument can. */
function isPlain(words: readonly string[]): boolean {
  return words.every((word) => !word.includes('\0'));
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function kill(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** The program doesn't wait for a shell that has nothing to do. */
function unref(stream: object): void {
  if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
}
