import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { jsonLines, runCli } from './cli.js';
import { compareSnapshots, hostSnapshot } from './host-snapshot.js';
import { describeFailure, type ProgramOptions, type ProgramResult } from './program.js';

/** Where the installer keeps its journal unless told otherwise. */
export const stateDir = '/var/lib/hyperup';

/** As on a machine without a network: the images are in the engine, and a registry or a build is a failure. */
export const offline = ['--mirror', 'none', '--no-build'] as const;

/** One component as `status --json` has it; only what the tests look at. */
export interface ComponentView {
  readonly component: string;
  readonly state: string;
  readonly message: string;
  readonly endpoint?: string;
  readonly pid?: number;
  readonly ports?: readonly number[];
  readonly version?: string;
  readonly restarts?: number;
  readonly ageMs?: number;
  readonly lastLog?: readonly string[];
}

export interface StatusView {
  readonly installed: boolean;
  readonly healthy: boolean;
  readonly server: string;
  readonly components: readonly ComponentView[];
}

export interface InstallView {
  readonly changed: boolean;
  readonly kubeconfigPath: string;
  readonly context: string;
  readonly kubectl: string;
  readonly status: StatusView;
}

/** What `--json` printed as its last line. */
export interface ResultLine<T> {
  readonly type: string;
  readonly verb: string;
  readonly ok: boolean;
  readonly result: T;
  readonly error?: { readonly code: string; readonly message: string; readonly output?: string };
}

/** The last line of `--json`. Throws with all that the program said where it isn't a result. */
export function resultLine<T>(result: ProgramResult): ResultLine<T> {
  const last = jsonLines(result.stdout).at(-1) as ResultLine<T> | undefined;
  if (last?.type !== 'result') throw new Error(`the last line is no result: ${describeFailure(result)}`);
  return last;
}

/** Runs a verb with `--json`; gives how it ended and its result. */
export async function cliJson<T>(
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<{ readonly exitCode: number; readonly run: ProgramResult; readonly line: ResultLine<T> }> {
  const run = await runCli([...args, '--json'], { timeoutMs: 240_000, ...options });
  return { exitCode: run.exitCode, run, line: resultLine<T>(run) };
}

/** Installs from what the engine has; throws with all that was said where that fails. */
export async function installCluster(
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<InstallView & { readonly run: ProgramResult }> {
  const { exitCode, run, line } = await cliJson<InstallView>(['install', ...offline, ...args], options);
  if (exitCode !== 0) throw new Error(describeFailure(run));
  return { ...line.result, run };
}

/** Takes a cluster away; throws with all that was said where something of it is left. */
export async function removeCluster(args: readonly string[] = []): Promise<ProgramResult> {
  const result = await runCli(['uninstall', '--yes', ...args], { timeoutMs: 240_000 });
  if (result.exitCode !== 0) throw new Error(describeFailure(result));
  return result;
}

/** Begins a test on a machine without a cluster, whatever an earlier run left, and ends it so whatever happens. */
export async function withoutCluster(t: Test): Promise<void> {
  await removeCluster();
  t.teardown(() => removeCluster());
}

/** A folder of this test's own; gone when the test ends. */
export async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-e2e-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Remembers the host as it is now; what it gives fails the test where the host differs from that. Processes and control
 * groups get a moment to end.
 */
export async function rememberHost(): Promise<(t: Test, message: string) => Promise<void>> {
  const before = await hostSnapshot();
  return async (t, message) => {
    let differences = compareSnapshots(before, await hostSnapshot());
    const deadline = performance.now() + 3_000;
    const isPassing = (line: string) => /^(processes|cgroups):/.test(line);
    while (differences.length > 0 && differences.every(isPassing) && performance.now() < deadline) {
      differences = compareSnapshots(before, await hostSnapshot());
    }
    t.same(differences, [], message);
  };
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
