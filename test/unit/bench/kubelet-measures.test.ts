import t from 'tap';
import { withoutRates } from '../../bench/kubelet/go-rates.js';
import {
  factsOf,
  measureNames,
  measuresOf,
  type ReadingName,
  type Readings,
  readingNames,
  wantedReadings,
} from '../../bench/kubelet/kubelet-measures.js';
import { benchLine } from '../../bench/measures.js';

function readings(values: Partial<Record<ReadingName, number>>, facts: Record<string, number> = {}): Readings {
  return {
    values,
    facts: new Map(Object.entries(facts).map(([title, value]) => [title, { unit: 'MB', value }])),
  };
}

t.test('lines of the measures that were asked for, from medians of the rounds', async (t) => {
  const round = (ours: number, theirs: number, dockerSeconds: number) => ({
    ours: readings({ 'pods-ready': ours, 'node-ready': ours / 10, cp: 70 }),
    theirs: readings({ 'pods-ready': theirs, 'tuned-pods-ready': theirs / 4, 'node-ready': 9, cp: 80 }),
    dockerSeconds,
  });
  const rounds = [round(12, 40, 10), round(10, 39, 10.5), round(11, 44, 9)];
  const wanted = new Set(['pods-ready', 'pods-ready-vs-tuned', 'pods-ready-vs-docker', 'node-ready', 'cp'] as const);
  t.same(measuresOf(rounds, wanted).map(benchLine), [
    'bench: pods-ready ratio=0.28 goal<=0.45 ours=11.0s theirs=40.0s',
    'bench: pods-ready-vs-tuned ratio=1.10 goal<=1 ours=11.0s theirs=10.0s',
    'bench: pods-ready-vs-docker ratio=1.10 goal<=1.6 ours=11.0s theirs=10.0s',
    'bench: cp ratio=0.88 goal>=0.8 ours=70MB/s theirs=80MB/s',
    'bench: node-ready value=1.1s goal<=2s theirs=9.0s',
  ]);
});

t.test('a figure that a round lacks is no figure', async (t) => {
  const rounds = [{ ours: readings({ exec: 100 }), theirs: readings({}), dockerSeconds: undefined }];
  t.throws(() => measuresOf(rounds, new Set(['exec'])), /bench exec: a round has no such figure/);
});

t.test('every measure can be asked for, and has a line', async (t) => {
  const all = readings(Object.fromEntries(readingNames.map((name) => [name, 1])));
  const rounds = [{ ours: all, theirs: all, dockerSeconds: 1 }];
  const lines = measuresOf(rounds, new Set(measureNames)).map(benchLine);
  t.same(lines.map((line) => line.split(' ')[1]).sort(), [...measureNames].sort());
});

t.test('what the comparisons take of each side', async (t) => {
  const wanted = new Set(['pods-ready-vs-docker', 'pods-deleted-vs-tuned', 'exec'] as const);
  t.same([...wantedReadings(wanted, 'ours')].sort(), ['exec', 'pods-deleted', 'pods-ready']);
  t.same([...wantedReadings(wanted, 'theirs')].sort(), ['exec', 'tuned-pods-deleted']);
});

t.test('a kubelet configuration without request rates', async (t) => {
  const text = ['port: 10250', 'kubeAPIQPS: 50', 'kubeAPIBurst: 100', 'eventRecordQPS: 50', 'eventBurst: 100'];
  t.equal(withoutRates(text.join('\n')), 'port: 10250\n');
  t.throws(() => withoutRates(text.slice(0, 3).join('\n')), /no eventRecordQPS/);
});

t.test('facts, a row a side', async (t) => {
  const rounds = [
    { ours: readings({}, { rest: 1 }), theirs: readings({}, { rest: 3 }), dockerSeconds: undefined },
    { ours: readings({}, { rest: 2 }), theirs: readings({}), dockerSeconds: undefined },
  ];
  t.same(factsOf(rounds), [
    { name: 'rest, ours', unit: 'MB', values: [1, 2] },
    { name: 'rest, theirs', unit: 'MB', values: [3] },
  ]);
});
