import t from 'tap';
import { hold, makeBlockPool, release } from '../../../src/base/block-pool.js';

t.test('a block comes back when its last owner has done, and not before', async (t) => {
  const pool = makeBlockPool(1024, 4);
  const block = pool.take();
  t.equal(block.length, 1024);
  const head = block.subarray(0, 100);
  const rest = block.subarray(100, 300);
  hold(head);
  hold(rest);
  hold(rest.subarray(0, 50));
  release(block);
  release(head);
  release(rest);
  t.not(pool.take().buffer, block.buffer, 'a part of a part is held yet');
  release(rest.subarray(0, 50));
  t.equal(pool.take().buffer, block.buffer);
});

t.test('memory that is no pool’s, or was given back, may be held and released', async (t) => {
  const pool = makeBlockPool(64, 4);
  const foreign = Buffer.from('foreign');
  hold(foreign);
  release(foreign);
  release(foreign);
  const block = pool.take();
  release(block);
  release(block);
  t.not(pool.take().buffer, pool.take().buffer, 'one block is never given twice');
});

t.test('no more than so many blocks wait', async (t) => {
  const pool = makeBlockPool(64, 2);
  const blocks = [pool.take(), pool.take(), pool.take()];
  t.equal(new Set(blocks.map(({ buffer }) => buffer)).size, 3);
  for (const block of blocks) release(block);
  const again = new Set([pool.take(), pool.take(), pool.take()].map(({ buffer }) => buffer));
  t.equal(blocks.filter(({ buffer }) => again.has(buffer)).length, 2);
});
