import { Readable, Writable } from 'node:stream';
import t from 'tap';
import { makeBlockPool } from '../../../src/base/block-pool.js';
import { pipeLent } from '../../../src/docker/pipe-lent.js';

/** Chunks that say what they are, in blocks of a pool of two; counts the blocks. */
function lentChunks(count: number) {
  const pool = makeBlockPool(50_000, 2);
  const blocks = new Set<ArrayBufferLike>();
  const source = Readable.from(
    (async function* () {
      for (let at = 0; at < count; at += 1) {
        const block = pool.take().fill(at);
        blocks.add(block.buffer);
        yield block;
      }
    })(),
    { objectMode: true, highWaterMark: 1 },
  );
  return { source, blocks };
}

t.test('blocks are used again once they are written, and not before', async (t) => {
  const { source, blocks } = lentChunks(100);
  const got: number[] = [];
  const destination = new Writable({
    highWaterMark: 1000,
    write: (chunk: Buffer, _encoding, done) => {
      // As a socket that is full: it reads the chunk late.
      setImmediate(() => {
        got.push(new Set(chunk).size === 1 ? (chunk[0] ?? -1) : -1);
        done();
      });
    },
  });
  pipeLent(source).pipe(destination);
  await new Promise((resolve) => {
    destination.once('finish', resolve);
  });
  t.same(
    got,
    Array.from({ length: 100 }, (_, at) => at),
  );
  t.ok(blocks.size <= 4, `${blocks.size} blocks`);
});

t.test('a destination that fails leaves the source to whoever gave it', async (t) => {
  const { source } = lentChunks(10);
  const destination = new Writable({ write: (_chunk, _encoding, done) => done(new Error('gone')) });
  const failed = new Promise((resolve) => {
    destination.once('error', resolve);
  });
  pipeLent(source).pipe(destination);
  t.match(await failed, { message: 'gone' });
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  t.equal(source.destroyed, false);
  source.destroy();
});

t.test('a source that fails does not end the destination', async (t) => {
  const source = Readable.from(
    (async function* () {
      yield Buffer.alloc(10);
      throw new Error('disk');
    })(),
  );
  let ended = false;
  const destination = new Writable({
    write: (_chunk, _encoding, done) => done(),
    final: (done) => {
      ended = true;
      done();
    },
  });
  const failed = new Promise((resolve) => {
    source.once('error', resolve);
  });
  pipeLent(source).pipe(destination);
  t.match(await failed, { message: 'disk' });
  t.equal(ended, false);
  destination.destroy();
});
