import t from 'tap';
import { inParallel } from '../../bench/kubelet/in-parallel.js';
import { cpuSecondsOf, residentMegabytesOf } from '../../bench/kubelet/process-usage.js';

t.test('processor time', async (t) => {
  const rest = 'S 1 42 42 0 -1 4194560 1 2 3 4 150 50 20 5 20 0 11 0 100 200 300';
  const cases = [
    { name: 'own and of ended children', stat: `42 (node) ${rest}`, want: 2.25 },
    { name: 'a name with a blank and a parenthesis', stat: `42 (a) b (c) ${rest}`, want: 2.25 },
  ];
  for (const { name, stat, want } of cases) t.equal(cpuSecondsOf(stat), want, name);
  t.throws(() => cpuSecondsOf('42 (node) S 1'), /read processor time/, 'cut short');
});

t.test('resident memory', async (t) => {
  t.equal(residentMegabytesOf('VmPeak:\t 9 kB\nVmRSS:\t  125000 kB\nRssAnon:\t 7 kB\n'), 128);
  t.throws(() => residentMegabytesOf('Name:\tkthreadd\n'), /no VmRSS/, 'a thread of the kernel');
});

t.test('work in parallel', async (t) => {
  let [running, most] = [0, 0];
  const done: number[] = [];
  await inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await Promise.resolve();
    running -= 1;
    done.push(item);
  });
  t.same({ most, done }, { most: 2, done: [1, 2, 3, 4, 5] });
  const tried: number[] = [];
  const work = inParallel([1, 2, 3, 4], 1, async (item) => {
    tried.push(item);
    if (item === 2) throw new Error('no');
  });
  await t.rejects(work, /no/);
  t.same(tried, [1, 2], 'nothing is begun after a failure');
});
