import t from 'tap';
import type { ProgressMessage } from '../../../src/docker/json-stream.js';
import { makePullTally } from '../../../src/docker/pull-tally.js';

const downloading = (id: string, current: number, total: number): ProgressMessage => ({
  id,
  status: 'Downloading',
  progressDetail: { current, total },
});

t.test('bytes add up over layers', async (test) => {
  const tally = makePullTally();
  test.equal(tally.add({ status: 'Pulling from pause', id: '3.2' }), undefined);
  test.equal(tally.add({ status: 'Pulling fs layer', id: 'a' }), undefined);
  test.equal(tally.add({ status: 'Already exists', id: 'b' }), undefined);
  test.same(tally.add(downloading('a', 10, 100)), { currentBytes: 10, totalBytes: 100, status: 'Downloading' });
  test.same(tally.add(downloading('c', 5, 50)), { currentBytes: 15, totalBytes: 150, status: 'Downloading' });
  test.match(tally.add({ status: 'Download complete', id: 'a' }), { currentBytes: 105, totalBytes: 150 });
  test.match(tally.add({ status: 'Extracting', id: 'a', progressDetail: { current: 1, total: 100 } }), {
    currentBytes: 105,
    status: 'Extracting',
  });
  test.match(tally.add({ status: 'Pull complete', id: 'c' }), { currentBytes: 150, totalBytes: 150 });
  test.equal(tally.complete, false);
  test.equal(tally.add({ status: 'Digest: sha256:0123' }), undefined);
  test.equal(tally.complete, false);
  test.match(tally.add({ status: 'Status: Downloaded newer image for pause:3.2' }), {
    currentBytes: 150,
    status: 'Downloaded newer image for pause:3.2',
  });
  test.equal(tally.complete, true);
});

t.test('a layer that starts again never counts backwards', async (test) => {
  const tally = makePullTally();
  tally.add(downloading('a', 80, 100));
  test.match(tally.add({ status: 'Retrying in 5 seconds', id: 'a' }), { currentBytes: 80, status: /Retrying/ });
  test.match(tally.add(downloading('a', 1, 100)), { currentBytes: 80, totalBytes: 100 });
});

t.test('a layer of unknown size counts as large as what came of it', async (test) => {
  const tally = makePullTally();
  test.match(tally.add({ id: 'a', status: 'Downloading', progressDetail: { current: 7 } }), {
    currentBytes: 7,
    totalBytes: 7,
  });
});
