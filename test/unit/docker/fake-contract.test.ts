import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import { makeTar } from '../../fakes/fake-engine-tar.js';
import { absentPath, describeEngineContract, unreachableReference } from '../../integration/docker-contract.js';
import { contractPrograms as programs } from '../../integration/docker-contract-programs.js';

const run = 'fake';
const out = (line: string) => ({ stream: 'stdout', line }) as const;

t.test('the fake keeps the contract', (test) => {
  const engine = makeFakeEngine();
  engine.arrangePull(unreachableReference, {
    kind: 'error',
    error: new HyperupError('RegistryFailed', 'no such host'),
  });
  engine.arrangeBuild(`hyperup-contract/${run}/built:1`, { kind: 'image', lines: ['Step 2/2 : COPY hello /hello'] });
  engine.arrangeBuild(`hyperup-contract/${run}/broken:1`, {
    kind: 'error',
    error: new HyperupError('BuildFailed', 'COPY failed'),
  });
  engine.arrangeAbsentPath(absentPath);
  engine.arrangeProgram(programs.quick.command, { exit: 0 });
  engine.arrangeProgram(programs.sleeper.command, { exit: 'never', onTerm: 'ignored', output: [out('asleep')] });
  engine.arrangeProgram(programs.talker.command, {
    exit: 3,
    output: [out('one'), { stream: 'stderr', line: 'two' }, out('three')],
  });
  engine.arrangeProgram(programs.polite.command, { exit: 'never', onTerm: 7, output: [out('ready')] });
  engine.arrangeProgram(programs.large.command, {
    exit: 0,
    output: Array.from({ length: programs.large.lines }, () => out('0123456789abcdex')),
  });
  engine.arrangeProgram(programs.missing.command, { exit: 127 });
  engine.arrangeProgram(programs.environment.command, { exit: 0, output: [out('hello there'), out('1234')] });
  describeEngineContract(test, { engine, run, rootfs: () => makeTar([{ name: 'bin/busybox', content: 'program' }]) });
  test.end();
});

t.test('the fake throws on what was not arranged', async (test) => {
  const engine = makeFakeEngine();
  engine.addImage('a:1');
  const id = await engine.createContainer({ name: 'a', image: 'a:1', command: ['/x'] });
  for (const [name, work] of Object.entries({
    pull: () => engine.pullImage('b:1'),
    build: () => engine.buildImage(makeTar([]), { tag: 'b:1' }),
    start: () => engine.startContainer(id),
  })) {
    const error = await work().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    test.match(error, { message: /^fake engine: no .* was arranged/ }, name);
    test.notOk(error instanceof HyperupError, `${name}: not an error that code of ours would handle`);
  }
});

t.test('the fake plays the outcomes of a pull in order, the last one for good', async (test) => {
  const engine = makeFakeEngine();
  const refused = new HyperupError('RegistryFailed', 'refused');
  engine.arrangePull('m/a:1', { kind: 'error', error: refused }, { kind: 'hang' }, { kind: 'image', image: {} });
  await test.rejects(engine.pullImage('m/a:1'), refused);
  await test.rejects(engine.pullImage('m/a:1', { stallMs: 1000 }), { code: 'Timeout' });
  await engine.pullImage('m/a:1');
  await engine.pullImage('m/a:1');
  test.same((await engine.inspectImage('m/a:1'))?.tags, ['m/a:1']);
  test.same(
    engine.calls.map(({ call }) => call),
    ['pullImage', 'pullImage', 'pullImage', 'pullImage', 'inspectImage'],
  );
});

t.test('a failure that was asked for comes once', async (test) => {
  const engine = makeFakeEngine();
  const gone = new HyperupError('EngineUnreachable', 'gone');
  engine.failNext('ping', gone);
  await test.rejects(engine.ping(), gone);
  await engine.ping();
});
