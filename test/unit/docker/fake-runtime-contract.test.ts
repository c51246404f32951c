import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { type FakeIo, type FakeRun, makeFakeRuntimeEngine } from '../../fakes/fake-runtime-engine.js';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { describeRuntimeContract, runtimePrograms as programs } from '../../integration/runtime-engine-contract.js';

const image = 'hyperup-runtime-contract/fake:1';
const megabytes3 = Buffer.alloc(3 * 1024 * 1024);

async function cat(io: FakeIo): Promise<number> {
  for await (const chunk of io.stdin) await io.stdout(chunk as Buffer);
  return 0;
}

async function lateSpeaker(io: FakeIo): Promise<number> {
  let bytes = 0;
  for await (const chunk of io.stdin) bytes += (chunk as Buffer).length;
  await io.stdout(`${bytes}\nlate\n`);
  return 0;
}

async function terminal(io: FakeIo): Promise<number> {
  for await (const chunk of io.stdin) if (String(chunk).includes('\n')) break;
  await io.stdout(`${io.size().height} ${io.size().width}\n`);
  await io.stderr('err\n');
  return 0;
}

async function flood(io: FakeIo): Promise<number> {
  const write = async (stream: 'stdout' | 'stderr') => {
    for (let at = 0; at < megabytes3.length; at += 4096) await io[stream](megabytes3.subarray(at, at + 4096));
  };
  await Promise.all([write('stdout'), write('stderr')]);
  return 0;
}

t.test('the fake keeps the contract', (test) => {
  const engine = makeFakeRuntimeEngine();
  engine.addImage(image);
  const runs: readonly (readonly [readonly string[], FakeRun])[] = [
    [programs.sleeper, { onTerm: 'ignored' }],
    [programs.polite, { onTerm: 7, output: [{ stream: 'stdout', line: 'ready' }] }],
    [programs.cat, { main: cat }],
    [
      programs.talker,
      {
        exitCode: 3,
        output: [
          { stream: 'stdout', line: 'one' },
          { stream: 'stderr', line: 'two' },
          { stream: 'stdout', line: 'three' },
        ],
      },
    ],
  ];
  for (const [command, run] of runs) engine.arrangeRun((_, body) => body.Entrypoint === command, run);
  engine.arrangeExec(programs.cat, { main: cat });
  engine.arrangeExec(programs.talker, { exitCode: 3, stdout: 'one\nthree\n', stderr: 'two\n' });
  engine.arrangeExec(programs.killed, { exitCode: 137 });
  engine.arrangeExec(programs.lateSpeaker, { main: lateSpeaker });
  engine.arrangeExec(programs.terminal, { main: terminal });
  engine.arrangeExec(programs.flood, { main: flood });
  engine.arrangeExec(programs.missing, { exitCode: 127 });
  engine.arrangeExec(programs.sleeper, { main: () => new Promise(() => {}) });
  describeRuntimeContract(test, { engine, image, run: 'fake' });
  test.end();
});

async function prepare(run: FakeRun) {
  const clock = makeManualClock(1_000_000);
  const engine = makeFakeRuntimeEngine({ clock });
  const imageId = engine.addImage('a:1');
  engine.arrangeRun(() => true, run);
  const id = await engine.createContainer('a', { Image: imageId, HostConfig: {} });
  await engine.startContainer(id);
  // What a started container does begins a turn later.
  await clock.advanceAndRun(0);
  return { clock, engine, id };
}

t.test('a run ends by the clock', async (test) => {
  const { clock, engine, id } = await prepare({ exitCode: 2, afterMs: 500, oomKilled: true });
  await clock.advanceAndRun(499);
  test.match(await engine.inspectContainer(id), { status: 'running', startedAtMs: 1_000_000 });
  await clock.advanceAndRun(1);
  test.match(await engine.inspectContainer(id), {
    ...{ status: 'exited', exitCode: 2, oomKilled: true, finishedAtMs: 1_000_500 },
  });
});

t.test('who ignores SIGTERM ends when the grace is over', async (test) => {
  const { clock, engine, id } = await prepare({ onTerm: 'ignored' });
  const stopped = engine.stopContainer(id, 30);
  await clock.advanceAndRun(29_999);
  test.equal(engine.containers()[0]?.status, 'running');
  await clock.advanceAndRun(1);
  await stopped;
  test.match(engine.containers(), [{ status: 'exited', exitCode: 137, finishedAtMs: 1_030_000 }]);
});

t.test('what was not arranged throws, what was fails once', async (test) => {
  const { engine, id } = await prepare({});
  await test.rejects(engine.startExec(id, { command: ['/x'], stdin: false, tty: false }), {
    message: /^fake engine: no exec was arranged/,
  });
  await test.rejects(engine.pullImage('b:1'), { message: /^fake engine: no pull was arranged/ });
  engine.failNext('info', new HyperupError('EngineUnreachable', 'gone'));
  await test.rejects(engine.info(), { code: 'EngineUnreachable' });
  await engine.info();
  engine.arrangePull('b:1', new HyperupError('ImageUnavailable', 'no'), 'image');
  await test.rejects(engine.pullImage('b:1'), { code: 'ImageUnavailable' });
  await engine.pullImage('b:1');
  test.match(await engine.inspectImage('b:1'), { tags: ['b:1'] });
});

t.test('a watch of events breaks when told to', async (test) => {
  const { engine, id } = await prepare({});
  const events = engine.containerEvents([], new AbortController().signal);
  const first = events.next();
  engine.exit(id, 1);
  test.match(await first, { value: { id, action: 'die' } });
  const next = events.next();
  engine.breakEvents();
  await test.rejects(next, { code: 'EngineUnreachable' });
});
