import t from 'tap';
import { byNewest } from '../../../../src/kubelet/runtime/status.js';

const made = (attempt: number, createdAtMs: number) => ({ attempt, createdAtMs });

const cases = [
  { name: 'in the order of time', all: [made(0, 10), made(1, 20), made(2, 30)], want: [2, 1, 0], newestMs: 30 },
  { name: 'the clock was set back', all: [made(0, 5000), made(1, 20), made(2, 30)], want: [2, 1, 0], newestMs: 30 },
  { name: 'two of one attempt', all: [made(1, 10), made(1, 20), made(0, 30)], want: [1, 1, 0], newestMs: 20 },
];

for (const { name, all, want, newestMs } of cases) {
  t.test(name, async (t) => {
    const sorted = all.toSorted(byNewest);
    t.same(
      sorted.map(({ attempt }) => attempt),
      want,
    );
    t.equal(sorted[0]?.createdAtMs, newestMs);
  });
}
