import t from 'tap';
import type { RunCommand } from '../../../src/base/run-command.js';
import { runCommand as runDirectly } from '../../../src/host/run-command.js';
import { createShellRunner } from '../../../src/host/shell-runner.js';

const node = process.execPath;

const shells = createShellRunner({
  fallback: async (file) => {
    throw new Error(`the fallback was asked to run ${file}`);
  },
});
t.teardown(() => shells.close());

/** Both do the same. */
const runners: Readonly<Record<string, RunCommand>> = {
  directly: runDirectly,
  'from a shell that is kept': shells.run,
};

const script = (code: string) => [node, ['-e', code]] as const;

for (const [how, run] of Object.entries(runners)) {
  t.test(`${how}: outcomes of a program that ran`, async (t) => {
    const cases = [
      { name: 'success', code: 'console.log("out"); console.error("err")', exitCode: 0, stdout: 'out', stderr: 'err' },
      { name: 'failure is an outcome', code: 'process.exitCode = 3', exitCode: 3, stdout: '', stderr: '' },
      {
        name: 'ended by a signal',
        code: 'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000)',
        exitCode: 137,
        stdout: '',
        stderr: 'ended by SIGKILL',
      },
    ];
    for (const { name, code, ...wanted } of cases) {
      t.match(await run(...script(code)), wanted, name);
    }
  });

  t.test(`${how}: stdin reaches the program, and is empty where none is given`, async (t) => {
    const code = 'process.stdin.pipe(process.stdout)';
    t.equal((await run(...script(code), { stdin: 'a\nb\n' })).stdout, 'a\nb');
    t.equal((await run(...script(code))).stdout, '');
  });

  t.test(`${how}: what a shell would expand arrives as it is`, async (t) => {
    const args = ['$HOME', '*', '; echo hurt', '`id`', 'a b', "it's", 'two\nlines', '\\', '', '%s'];
    const { stdout } = await run(node, ['-e', 'console.log(JSON.stringify(process.argv.slice(1)))', ...args]);
    t.same(JSON.parse(stdout), args);
  });

  t.test(`${how}: failures to run`, async (t) => {
    await t.rejects(run('hyperup-no-such-program', ['x']), {
      code: 'NotFound',
      message: 'run hyperup-no-such-program x: there is no program hyperup-no-such-program',
    });
    await t.rejects(run('/etc/passwd', []), { code: 'PermissionDenied' });
    await t.rejects(run(...script('setInterval(() => {}, 1000)'), { timeoutMs: 200 }), { code: 'Timeout' });
  });

  t.test(
    `${how}: what a program has started and left with its pipes does not hold up a timeout`,
    { timeout: 20_000 },
    async (t) => {
      const code =
        'const { spawn } = require("node:child_process");' +
        'spawn(process.execPath, ["-e", "setTimeout(() => {}, 25000)"], { stdio: "inherit", detached: true }).unref();' +
        'setInterval(() => {}, 1000)';
      await t.rejects(run(...script(code), { timeoutMs: 1500 }), { code: 'Timeout' });
    },
  );
}

t.test('lines are handed on as they come, of both streams', async (t) => {
  const lines: string[] = [];
  await runDirectly(...script('console.log("one\\ntwo"); console.error("three")'), {
    onLine: (line) => lines.push(line),
  });
  t.same(lines.sort(), ['one', 'three', 'two']);
});

t.test('given variables are added, messages are in the C locale', async (t) => {
  const code = 'console.log([process.env.LC_ALL, process.env.GIVEN, typeof process.env.PATH].join())';
  t.equal((await runDirectly(...script(code), { env: { GIVEN: 'yes' } })).stdout, 'C,yes,string');
});

t.test('an interrupted program', async (t) => {
  const controller = new AbortController();
  const running = runDirectly(...script('setInterval(() => {}, 1000)'), { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.rejects(running, { code: 'Aborted' });
});
