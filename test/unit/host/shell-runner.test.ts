import t, { type Test } from 'tap';
import type { RunCommand } from '../../../src/base/run-command.js';
import { createShellRunner } from '../../../src/host/shell-runner.js';

/** A runner, and what it has left to another. */
function makeRunner(t: Test, shell?: string) {
  const left: string[] = [];
  const fallback: RunCommand = async (file, args) => {
    left.push([file, ...args].join(' '));
    return { command: file, exitCode: 0, stdout: 'by the other', stderr: '' };
  };
  const runner = createShellRunner({ fallback, shell });
  t.teardown(() => runner.close());
  return { ...runner, left };
}

t.test('the same shell, one program after another, each with its own output', async (t) => {
  const { run, left } = makeRunner(t);
  const parent = async () => (await run('sh', ['-c', 'echo $PPID; echo oops >&2; exit 4'])) as { stdout: string };
  const first = await parent();
  t.match(first, { exitCode: 4, stderr: 'oops' });
  t.same(await parent(), first);
  t.match(await run('true', []), { exitCode: 0, stdout: '', stderr: '' });
  t.match(await run('sh', ['-c', 'printf "no newline"']), { stdout: 'no newline' });
  t.match(await run('sh', ['-c', 'printf "\\n\\nblank lines\\n\\n"']), { stdout: '\n\nblank lines\n' });
  t.same(left, []);
});

t.test('much output, on both streams at once', async (t) => {
  const { run } = makeRunner(t);
  const lines = 200_000;
  const { stdout, stderr } = await run('sh', ['-c', `seq ${lines} >&2 & seq ${lines}; wait`]);
  t.equal(stdout.split('\n').length, lines);
  t.equal(stderr.split('\n').at(-1), String(lines));
});

t.test('many at once: eight in shells, the others elsewhere, and nobody waits', async (t) => {
  const { run, left } = makeRunner(t);
  const held = Array.from({ length: 8 }, () => run('sh', ['-c', 'read x; echo $x; sleep 0.2'], { stdin: 'go\n' }));
  const more = await Promise.all([run('true', ['a']), run('true', ['b'])]);
  t.same(
    more.map(({ stdout }) => stdout),
    ['by the other', 'by the other'],
  );
  t.same(left, ['true a', 'true b']);
  t.same(
    (await Promise.all(held)).map(({ stdout }) => stdout),
    Array.from({ length: 8 }, () => 'go'),
  );
  t.match(await run('echo', ['again']), { stdout: 'again' });
});

t.test('a program that does not end takes its shell along, and no other', async (t) => {
  const { run, left } = makeRunner(t);
  const other = run('sh', ['-c', 'sleep 0.5; echo done']);
  await t.rejects(run('sleep', ['60'], { timeoutMs: 200 }), { code: 'Timeout' });
  t.match(await other, { stdout: 'done' });
  t.match(await run('echo', ['next']), { stdout: 'next' });
  await t.rejects(run('sh', ['-c', 'kill -9 $PPID']), { code: 'HostChangeFailed', message: /its shell ended/ });
  t.match(await run('echo', ['and on']), { stdout: 'and on' });
  t.same(left, []);
});

t.test('what a shell is no good for, and a machine without one', async (t) => {
  const { run, left } = makeRunner(t);
  await run('a', [], { env: { A: 'b' } });
  await run('b', [], { onLine: () => {} });
  await run('c', [], { signal: new AbortController().signal });
  await run('d', ['nul\0']);
  t.same(left, ['a', 'b', 'c', 'd nul\0']);
  const without = makeRunner(t, 'hyperup-no-such-shell');
  t.match(await without.run('e', []), { stdout: 'by the other' });
  t.match(await without.run('f', []), { stdout: 'by the other' });
  t.same(without.left, ['e', 'f']);
});

t.test('once closed it starts no more', async (t) => {
  const { run, close, left } = makeRunner(t);
  const last = run('sh', ['-c', 'sleep 0.2; echo last']);
  close();
  t.match(await last, { stdout: 'last' });
  await run('a', []);
  t.same(left, ['a']);
});
