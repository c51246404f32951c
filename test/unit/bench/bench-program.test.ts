import t from 'tap';
import { wantedNames, wantedRuns } from '../../bench/bench-program.js';

t.test('BENCH_RUNS', async (t) => {
  t.same([undefined, '', '1', '99'].map(wantedRuns), [3, 3, 1, 99]);
  for (const text of ['0', '100', '2x', '-1']) t.throws(() => wantedRuns(text), /BENCH_RUNS: got/, text);
});

t.test('BENCH_ONLY', async (t) => {
  const names = ['a', 'b', 'c'] as const;
  const cases = [
    { name: 'nothing said is all', text: undefined, want: ['a', 'b', 'c'] },
    { name: 'empty is all', text: '', want: ['a', 'b', 'c'] },
    { name: 'some, in their own order, twice is once', text: 'c,a,,c', want: ['a', 'c'] },
  ];
  for (const { name, text, want } of cases) t.same([...wantedNames(text, names)], want, name);
  t.throws(() => wantedNames('a,d', names), /got a,d, want some of a,b,c/, 'a name that is none');
});
