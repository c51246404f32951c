import t from 'tap';
import { createCrashBackoff, formatDelay } from '../../../../src/kubelet/workers/crash-backoff.js';

const key = { podUid: 'p', container: 'c', hash: 'h' };

t.test('none at first, then 10 s doubled up to 5 min', async (t) => {
  const backoff = createCrashBackoff();
  const delays: number[] = [];
  let nowMs = 1000;
  for (let crash = 0; crash < 8; crash += 1) {
    const delayMs = backoff.delayMs(key, nowMs);
    delays.push(delayMs / 1000);
    backoff.restarted(key, nowMs, nowMs + delayMs);
    nowMs += delayMs + 1000;
  }
  t.same(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
});

t.test('over once it ran for ten minutes', async (t) => {
  const backoff = createCrashBackoff();
  backoff.restarted(key, 0, 0);
  backoff.restarted(key, 1, 1);
  t.equal(backoff.delayMs(key, 600_001), 20_000);
  t.equal(backoff.delayMs(key, 600_002), 0);
  backoff.restarted(key, 700_000, 700_000);
  t.equal(backoff.delayMs(key, 700_001), 10_000, 'it begins anew');
});

t.test('one for each pod, container and specification', async (t) => {
  const backoff = createCrashBackoff();
  backoff.restarted(key, 0, 0);
  t.equal(backoff.delayMs({ ...key, hash: 'other' }, 1), 0);
  t.equal(backoff.delayMs({ ...key, container: 'other' }, 1), 0);
  t.equal(backoff.delayMs({ ...key, podUid: 'other' }, 1), 0);
  backoff.forget('p');
  t.equal(backoff.delayMs(key, 1), 0);
});

t.test('durations as the API shows them', async (t) => {
  t.same([10_000, 80_000, 160_000, 300_000].map(formatDelay), ['10s', '1m20s', '2m40s', '5m0s']);
});
