import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import type { Clock } from '../../../src/base/clock.js';
import { HyperupError } from '../../../src/base/errors.js';
import type { CommandResult, RunCommand } from '../../../src/base/run-command.js';
import type { Host } from '../../../src/host/host.js';

/**
 * An empty folder outside the repository, removed when the test ends. Modes and groups in it are those
 * of this process, also where the folder for temporary files hands on a group (set-group-ID).
 */
export async function makeTempDir(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'hyperup-unit-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await chown(dir, process.getuid?.() ?? -1, process.getgid?.() ?? -1);
  await chmod(dir, 0o700);
  return dir;
}

/** Writes files below a folder; names are absolute paths of the pretended machine. */
export async function writeFiles(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

/** A machine made of files alone; a program that isn't scripted fails the test by name. */
export async function makeHost(
  t: Test,
  files: Readonly<Record<string, string>>,
  run: RunCommand = refuseCommands,
): Promise<Host> {
  const root = await makeTempDir(t);
  await writeFiles(root, files);
  return { root, run };
}

export const refuseCommands: RunCommand = async (file, args) => {
  throw new Error(`not scripted: ${[file, ...args].join(' ')}`);
};

/** A clock that stands still until told otherwise. */
export function makeClock(startMs = Date.parse('2026-01-02T03:04:05Z')): Clock & { advance(ms: number): void } {
  let now = startMs;
  return {
    now: () => now,
    monotonicMs: () => now,
    sleep: (_ms, signal) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
    advance: (ms) => {
      now += ms;
    },
  };
}

export function succeed(stdout = ''): CommandResult {
  return { command: 'scripted', exitCode: 0, stdout, stderr: '' };
}

/** What `runCommand` throws for a program that the machine hasn't got. */
export function programMissing(file: string): HyperupError {
  return new HyperupError('NotFound', `run ${file}: there is no program ${file}`);
}
