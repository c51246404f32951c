import t from 'tap';
import { parseDuration } from '../../../../src/kubelet/config/duration.js';

t.test("Go's durations", async (t) => {
  const good: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['0s', 0],
    ['10s', 10_000],
    ['1h30m', 5_400_000],
    ['1h0m0.5s', 3_600_500],
    ['.5s', 500],
    ['250ms', 250],
    ['1500us', 1.5],
    ['1500µs', 1.5],
    ['-1.5m', -90_000],
    ['+2s', 2000],
  ];
  for (const [text, ms] of good) t.equal(parseDuration(text), ms, text);
  for (const text of ['', '10', 's', '1d', '10 s', '1h 30m', '1h,', 'x1s', '--1s', '1s2']) {
    t.throws(() => parseDuration(text), { code: 'InvalidConfig' }, JSON.stringify(text));
  }
});
