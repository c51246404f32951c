import { HyperupError } from '../base/errors.js';
import type { RunCommand } from '../base/run-command.js';

/** How one package manager adds a program for the time of a build, and takes exactly that away again. */
interface Manager {
  readonly program: string;
  add(run: RunCommand, name: string): Promise<readonly string[]>;
  remove(run: RunCommand, added: readonly string[]): Promise<void>;
}

async function must(run: RunCommand, file: string, args: readonly string[]): Promise<string> {
  const result = await run(file, args, { env: { DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: 600_000 });
  if (result.exitCode === 0) return result.stdout;
  throw new HyperupError('BuildFailed', `${result.command}: exit code ${result.exitCode}`, {
    output: `${result.stdout}${result.stderr}`.trim().split('\n').slice(-15).join('\n'),
    hint: 'Install debootstrap with the package manager of this machine, then run the command again.',
  });
}

const managers: readonly Manager[] = [
  {
    program: 'apt-get',
    async add(run, name) {
      await must(run, 'apt-get', ['-qq', 'update']);
      const options = ['-y', '--no-install-recommends', 'install', name];
      const plan = await must(run, 'apt-get', ['-s', ...options]);
      await must(run, 'apt-get', ['-qq', ...options]);
      return [...plan.matchAll(/^Inst (\S+) (?!\[)/gm)].map((match) => match[1] ?? '');
    },
    async remove(run, added) {
      await must(run, 'apt-get', ['-qq', '-y', 'purge', ...added]);
    },
  },
  {
    program: 'dnf',
    async add(run, name) {
      await must(run, 'dnf', ['-y', '--setopt=install_weak_deps=False', 'install', name]);
      return [name];
    },
    async remove(run, added) {
      await must(run, 'dnf', ['-y', 'remove', ...added]);
    },
  },
  {
    program: 'apk',
    async add(run, name) {
      await must(run, 'apk', ['add', '--virtual', '.hyperup-build', name]);
      return ['.hyperup-build'];
    },
    async remove(run, added) {
      await must(run, 'apk', ['del', ...added]);
    },
  },
];

async function has(run: RunCommand, program: string): Promise<boolean> {
  const result = await run('sh', ['-c', 'command -v "$1"', 'sh', program]);
  return result.exitCode === 0;
}

/**
 * Calls `work` with a program of the host's present, installing it first where it is missing and removing afterwards
 * exactly what that installed. Throws `BuildFailed` where no known package manager is there.
 */
export async function withHostProgram<T>(run: RunCommand, program: string, work: () => Promise<T>): Promise<T> {
  if (await has(run, program)) return work();
  for (const manager of managers) {
    if (!(await has(run, manager.program))) continue;
    const added = await manager.add(run, program);
    try {
      return await work();
    } finally {
      if (added.length > 0) await manager.remove(run, added);
    }
  }
  throw new HyperupError(
    'BuildFailed',
    `install ${program}: found none of ${managers.map((m) => m.program).join(', ')}`,
    {
      hint: `Install ${program} by hand, then run the command again.`,
    },
  );
}
