import { join } from 'node:path';
import { jsonLines, runCli } from '../e2e/support/cli.js';
import { describeFailure, type ProgramResult } from '../e2e/support/program.js';

/** One round of ours: install, install again, uninstall. Milliseconds, from the process's start to its end. */
export interface HyperupRun {
  readonly installMs: number;
  readonly secondMs: number;
  readonly secondChanged: boolean;
  readonly uninstallMs: number;
  /** How long each step of the first install took, by its title, in their order. */
  readonly stepMs: ReadonlyMap<string, number>;
}

/** How long one call may take before it is ended. */
const timeoutMs = 300_000;

async function call(args: readonly string[]): Promise<ProgramResult> {
  const result = await runCli(args, { timeoutMs });
  if (result.exitCode !== 0) throw new Error(describeFailure(result));
  return result;
}

/** True where the last event of an install says that it changed something. */
function saysChanged({ stdout }: ProgramResult): boolean {
  const last = jsonLines(stdout).at(-1) as { readonly result?: { readonly changed?: unknown } } | undefined;
  if (typeof last?.result?.changed !== 'boolean') throw new Error(`install --json ends without a result: ${stdout}`);
  return last.result.changed;
}

function stepTimes({ stdout }: ProgramResult): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { type, state, title, elapsedMs } of jsonLines(stdout)) {
    if (type === 'step' && state === 'done' && typeof title === 'string' && typeof elapsedMs === 'number') {
      times.set(title, elapsedMs);
    }
  }
  return times;
}

/** Installs, installs again and uninstalls, by the built command line, with defaults but for DNS. Uninstalls on failure too. */
export async function runHyperup(workDir: string): Promise<HyperupRun> {
  // The user's own file stays as it is; no build: missing images are an error here, not a wait of minutes.
  // Theirs skips its DNS add-on, so ours goes without too.
  const args = ['install', '--json', '--no-build', '--dns', 'none', '--kubeconfig', join(workDir, 'kubeconfig')];
  let standing = true;
  try {
    const first = await call(args);
    if (!saysChanged(first)) throw new Error('install: a cluster was there already');
    const second = await call(args);
    const removal = await call(['uninstall', '--yes', '--json']);
    standing = false;
    return {
      installMs: first.elapsedMs,
      secondMs: second.elapsedMs,
      secondChanged: saysChanged(second),
      uninstallMs: removal.elapsedMs,
      stepMs: stepTimes(first),
    };
  } finally {
    if (standing) await runCli(['uninstall', '--yes'], { timeoutMs });
  }
}

/** How long `hyperup --version` takes, milliseconds, so many times over. */
export async function runVersion(times: number): Promise<readonly number[]> {
  const elapsed: number[] = [];
  for (let run = 0; run < times; run += 1) elapsed.push((await call(['--version'])).elapsedMs);
  return elapsed;
}
