import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { makePrefixPipe } from '../../../../src/mirror/copy/prefix-pipe.js';

const chunks = ['abcd', 'efgh', 'ijkl'].map((text) => Buffer.from(text));

t.test('a reader gets the blob from where it wants it', async (t) => {
  for (const [from, want] of [
    [0, 'abcdefghijkl'],
    [4, 'efghijkl'],
    [6, 'ghijkl'],
    [12, ''],
  ] as const) {
    const pipe = makePrefixPipe(Promise.resolve(from));
    const read = buffer(pipe.body);
    for (const chunk of chunks) await pipe.push(chunk);
    pipe.finish();
    t.equal((await read).toString(), want, `from ${from}`);
  }
});

t.test('a fetcher waits while it is not known where to begin, and while the reader is behind', async (t) => {
  let begin: (offset: number) => void = () => {};
  const pipe = makePrefixPipe(
    new Promise((resolve) => {
      begin = resolve;
    }),
  );
  let pushed = 0;
  const pushing = (async () => {
    for (let n = 0; n < 10; n += 1) {
      await pipe.push(Buffer.from([n]));
      pushed += 1;
    }
    pipe.finish();
  })();
  await new Promise(setImmediate);
  t.equal(pushed, 0);
  begin(0);
  await new Promise(setImmediate);
  t.ok(pushed < 5, `nobody reads: ${pushed} chunks wait`);
  t.same([...(await buffer(pipe.body))], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await pushing;
});

t.test('a reader that gave up is no hindrance, one whose content was wrong is told', async (t) => {
  const gone = makePrefixPipe(Promise.resolve(0));
  gone.body.destroy();
  for (let n = 0; n < 100; n += 1) await gone.push(Buffer.alloc(10));
  gone.finish();

  const wrong = makePrefixPipe(Promise.resolve(0));
  const read = buffer(wrong.body);
  await wrong.push(Buffer.from('wrong'));
  wrong.restart();
  await t.rejects(read, { code: 'DigestMismatch' });
  await wrong.push(Buffer.from('right'));

  const refused = makePrefixPipe(Promise.reject(new Error('the registry refuses')));
  await refused.push(Buffer.from('a'));
  await refused.push(Buffer.from('b'));
});
