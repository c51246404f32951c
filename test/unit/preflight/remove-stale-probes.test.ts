import t from 'tap';
import { removeStaleProbes } from '../../../src/preflight/remove-stale-probes.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';

const labels = { 'io.hyperup.managed': 'true', 'io.hyperup.role': 'preflight' };
const image = 'hyperup.local/preflight-probe:7';

t.test('what a probe left goes, and nothing else', async (t) => {
  const engine = makeFakeEngine();
  engine.addImage(image, { content: 'probe' });
  engine.addImage('other:1', { content: 'other' });
  await engine.createContainer({ name: 'hyperup-preflight-7', image, labels, command: [] });
  await engine.createContainer({ name: 'other', image: 'other:1', command: [] });
  t.equal(await removeStaleProbes(engine), 2);
  t.strictSame(
    (await engine.listContainers({ all: true })).map(({ name }) => name),
    ['other'],
  );
  t.notOk(await engine.inspectImage(image));
  t.ok(await engine.inspectImage('other:1'));
  t.equal(await removeStaleProbes(engine), 0, 'nothing the second time');
});

t.test('one that runs is left alone, with its image', async (t) => {
  const engine = makeFakeEngine();
  engine.addImage(image, { content: 'probe' });
  engine.arrangeProgram(['/probe'], { exit: 'never' });
  const id = await engine.createContainer({ name: 'hyperup-preflight-7', image, labels, command: ['/probe'] });
  await engine.startContainer(id);
  t.equal(await removeStaleProbes(engine), 0);
  t.ok(await engine.inspectImage(image));
});
