import { PassThrough } from 'node:stream';
import t from 'tap';
import { readInTurn } from '../../../../src/kubelet/server/spdy/read-in-turn.js';
import { until } from './server-scene.js';

void t.test('nothing is read while a chunk takes its time, and the end waits for it', async (t) => {
  const source = new PassThrough();
  const taken: string[] = [];
  let go = () => {};
  let ended = false;
  const read = readInTurn(source, (chunk) => {
    taken.push(String(chunk));
    if (String(chunk) === 'at once') return undefined;
    return new Promise((resolve) => {
      go = resolve;
    });
  }).then(() => {
    ended = true;
  });
  source.write('at once');
  source.write('slow');
  await until(() => taken.length === 2);
  source.write('slow again');
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.same(taken, ['at once', 'slow']);
  go();
  await until(() => taken.length === 3);
  source.end();
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.notOk(ended);
  go();
  await read;
  t.ok(ended);
});

void t.test('a chunk that fails ends it', async (t) => {
  const failures: readonly (() => Promise<void> | undefined)[] = [
    () => {
      throw new Error('bad');
    },
    () => Promise.reject(new Error('bad')),
  ];
  for (const fail of failures) {
    const source = new PassThrough();
    let calls = 0;
    const read = readInTurn(source, () => {
      calls += 1;
      return fail();
    });
    source.write('a');
    await t.rejects(read, { message: 'bad' });
    source.write('b');
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(calls, 1, 'nothing more is read');
  }
});
