import t from 'tap';
import { benchTable } from '../../bench/bench-table.js';
import { benchLine, figureOf, formatAgainst, type Measure, median, meetsGoal } from '../../bench/measures.js';

const install: Measure = {
  kind: 'ratio',
  name: 'install',
  unit: 's',
  goal: 0.6,
  ours: [9.4, 8.9, 8.7],
  theirs: [17.1, 16.5, 17.2],
};
const value = (over: Partial<Extract<Measure, { kind: 'value' }>>): Measure => ({
  kind: 'value',
  name: 'uninstall',
  unit: 's',
  goal: 5,
  values: [3.06, 3.4, 2.9],
  ...over,
});

t.test('median', async (t) => {
  const cases = [
    { name: 'one', values: [4], want: 4 },
    { name: 'odd, out of order, by size and not by text', values: [10, 9, 100], want: 10 },
    { name: 'even: the mean of the middle two', values: [4, 1, 3, 2], want: 2.5 },
  ];
  for (const { name, values, want } of cases) {
    const given = Object.freeze([...values]);
    t.equal(median(given), want, name);
  }
  t.throws(() => median([]), /no values/, 'nothing measured is no figure');
});

t.test('verdicts', async (t) => {
  const cases: readonly { readonly name: string; readonly measure: Measure; readonly met: boolean }[] = [
    { name: 'ratio of the medians', measure: install, met: true },
    { name: 'ratio over the goal', measure: { ...install, ours: [10.3, 10.4, 10.2] }, met: false },
    { name: 'at the goal', measure: value({ values: [5] }), met: true },
    { name: 'a hair over the goal', measure: value({ values: [5.0004] }), met: false },
    { name: 'nothing allowed, nothing seen', measure: value({ unit: '', goal: 0, values: [0, 0, 0] }), met: true },
    { name: 'at least: more is better', measure: value({ goal: 0.8, atLeast: true, values: [0.9] }), met: true },
    { name: 'at least: under the goal', measure: value({ goal: 0.8, atLeast: true, values: [0.7] }), met: false },
    { name: 'not a number is no pass', measure: value({ values: [Number.NaN] }), met: false },
  ];
  for (const { name, measure, met } of cases) t.equal(meetsGoal(measure), met, name);
  t.equal(figureOf(install), 8.9 / 17.1);
});

t.test('rounding never turns a verdict', async (t) => {
  const cases = [
    { value: 0.52, goal: 0.6, digits: 2, want: '0.52' },
    { value: 0.6004, goal: 0.6, digits: 2, want: '0.6004' },
    { value: 5.04, goal: 5, digits: 1, want: '5.04' },
    { value: 149.6, goal: 149.7, digits: 0, want: '149.6' },
    { value: 0.796, goal: 0.8, atLeast: true, digits: 2, want: '0.796' },
    { value: 0.804, goal: 0.8, atLeast: true, digits: 2, want: '0.80' },
  ];
  for (const { value, digits, want, ...goal } of cases) t.equal(formatAgainst(value, goal, digits), want);
});

t.test('the line of a measure', async (t) => {
  const cases = [
    { measure: install, want: 'bench: install ratio=0.52 goal<=0.6 ours=8.9s theirs=17.1s' },
    { measure: value({}), want: 'bench: uninstall value=3.1s goal<=5s' },
    {
      measure: value({ name: 'version', unit: 'ms', goal: 150, values: [91.6] }),
      want: 'bench: version value=92ms goal<=150ms',
    },
    {
      measure: value({ name: 'images-total', unit: 'MB', goal: 215, values: [212.58] }),
      want: 'bench: images-total value=212.6MB goal<=215MB',
    },
    {
      measure: value({ name: 'second-install-changes', unit: '', goal: 0, values: [0, 1, 1] }),
      want: 'bench: second-install-changes value=1 goal<=0',
    },
    {
      measure: value({ name: 'node-ready', goal: 2, values: [1.44], theirs: [8.06] }),
      want: 'bench: node-ready value=1.4s goal<=2s theirs=8.1s',
    },
    {
      measure: { ...install, name: 'cp', unit: 'MB/s', goal: 0.8, atLeast: true, ours: [70.4], theirs: [80] } as const,
      want: 'bench: cp ratio=0.88 goal>=0.8 ours=70MB/s theirs=80MB/s',
    },
  ];
  for (const { measure, want } of cases) t.equal(benchLine(measure), want);
});

t.test('the table', async (t) => {
  const text = benchTable({
    measures: [
      install,
      value({ values: [5.04, 6, 5.02] }),
      value({ name: 'version', unit: 'ms', goal: 150, values: [90, 91, 95, 92, 93, 99] }),
      value({ name: 'speed', unit: 'MB/s', goal: 50, atLeast: true, values: [60], theirs: [80] }),
    ],
    facts: [{ name: 'kubeadm init returns', unit: 's', values: [9.4, 9.9, 9.5] }],
    notes: ['a remark'],
  });
  t.same(text.split('\n'), [
    'MEASURE          RUNS                  MEDIAN  GOAL       VERDICT',
    'install, ours    9.4s  8.9s  8.7s      8.9s    -          -',
    'install, theirs  17.1s  16.5s  17.2s   17.1s   -          -',
    'install, ratio   0.55  0.54  0.51      0.52    <= 0.6     met',
    'uninstall        5.0s  6.0s  5.0s      5.04s   <= 5s      MISSED',
    'version          6 runs, 90ms to 99ms  93ms    <= 150ms   met',
    'speed            60MB/s                60MB/s  >= 50MB/s  met',
    'speed, theirs    80MB/s                80MB/s  -          -',
    '',
    'BESIDE IT             RUNS              MEDIAN',
    'kubeadm init returns  9.4s  9.9s  9.5s  9.5s',
    '',
    '- a remark',
  ]);
});
