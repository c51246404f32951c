import { mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { outputOf, type ProgramResult, runProgram } from './program.js';

/**
 * Runs a shell script on a machine of its own, with an empty engine and no network but loopback and the engine's bridge
 * (see `bare-machine.sh`). It ends with the script; what it left in folders and control groups is taken away.
 */
export async function onBareMachine(
  t: Test,
  script: string,
  timeoutMs: number,
): Promise<ProgramResult & { readonly engineLog: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-bare-'));
  t.teardown(() => clear(folder));
  const path = join(folder, 'script.sh');
  await writeFile(path, `set -u\n${script}\n`);
  const machine = join(process.cwd(), 'test/e2e/support/bare-machine.sh');
  const result = await runProgram(machine, [folder, 'bash', path], { timeoutMs });
  const engineLog = await readFile(join(folder, 'dockerd.log'), 'utf8').catch(() => '');
  return { ...result, engineLog };
}

async function clear(folder: string): Promise<void> {
  const groups = (await readFile(join(folder, 'cgroups'), 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '');
  // Whatever the machine ran is gone with its namespace; the kernel takes a moment to let go of the groups.
  for (const group of groups) {
    const deadline = performance.now() + 5_000;
    while (!(await removeGroups(group)) && performance.now() < deadline) await sleep(50);
  }
  await rm(folder, { recursive: true, force: true });
}

async function removeGroups(group: string): Promise<boolean> {
  const found = await outputOf('find', [group, '-depth', '-type', 'd']).catch(() => '');
  for (const path of found.split('\n').filter((line) => line !== '')) await rmdir(path).catch(() => {});
  return (await runProgram('test', ['-e', group])).exitCode !== 0;
}
