import type { FactRow } from '../bench-table.js';
import type { Measure, MeasureUnit } from '../measures.js';

/** What one cluster's run is measured for. */
export const readingNames = [
  'node-ready',
  'idle-cpu-5',
  'one-pod-ready',
  'pods-ready',
  'idle-cpu-50',
  'memory-50',
  'exec',
  'cp',
  'pods-deleted',
] as const;
export type ReadingName = (typeof readingNames)[number];

/** What BENCH_ONLY chooses from. */
export const measureNames = [...readingNames, 'pods-ready-vs-docker'] as const;
export type MeasureName = (typeof measureNames)[number];

/** What a run came to: in the measures' own units, and facts beside them by a title. */
export interface Readings {
  readonly values: Readonly<Partial<Record<ReadingName, number>>>;
  readonly facts: ReadonlyMap<string, { readonly unit: MeasureUnit; readonly value: number }>;
}

/** One round: both kubelets, and the engine alone where that was asked for. */
export interface Round {
  readonly ours: Readings;
  readonly theirs: Readings;
  readonly dockerSeconds: number | undefined;
}

interface Definition {
  readonly unit: MeasureUnit;
  readonly goal: number;
  readonly atLeast?: boolean;
  readonly kind?: 'value';
}

const definitions: Readonly<Record<MeasureName, Definition>> = {
  'pods-ready': { unit: 's', goal: 0.45 },
  'pods-ready-vs-docker': { unit: 's', goal: 1.6 },
  'one-pod-ready': { unit: 'ms', goal: 0.8 },
  'pods-deleted': { unit: 's', goal: 0.8 },
  'idle-cpu-5': { unit: '%', goal: 1 },
  'idle-cpu-50': { unit: '%', goal: 1 },
  'memory-50': { unit: 'MB', goal: 1 },
  exec: { unit: 'ms', goal: 1 },
  cp: { unit: 'MB/s', goal: 0.8, atLeast: true },
  'node-ready': { unit: 's', goal: 2, kind: 'value' },
};

/** The measures that were asked for, in the order of `definitions`. Throws where a round lacks one. Pure. */
export function measuresOf(rounds: readonly Round[], wanted: ReadonlySet<MeasureName>): readonly Measure[] {
  return (Object.keys(definitions) as MeasureName[])
    .filter((name) => wanted.has(name))
    .map((name) => {
      const { kind, ...definition } = definitions[name];
      const docker = name === 'pods-ready-vs-docker';
      const reading = docker ? 'pods-ready' : name;
      const ours = rounds.map((round) => present(round.ours.values[reading], name));
      const theirs = rounds.map(({ theirs, dockerSeconds }) =>
        present(docker ? dockerSeconds : theirs.values[reading], name),
      );
      if (kind === 'value') return { ...definition, name, kind, values: ours, theirs };
      return { ...definition, name, kind: 'ratio', ours, theirs };
    });
}

function present(value: number | undefined, name: MeasureName): number {
  if (value === undefined) throw new Error(`bench ${name}: a round has no such figure`);
  return value;
}

/** Rows of what was seen beside the measures, ours and theirs. Pure. */
export function factsOf(rounds: readonly Round[]): readonly FactRow[] {
  const titles = new Set(rounds.flatMap(({ ours, theirs }) => [...ours.facts.keys(), ...theirs.facts.keys()]));
  return [...titles].flatMap((title) =>
    (['ours', 'theirs'] as const).flatMap((side) => {
      const found = rounds.flatMap((round) => round[side].facts.get(title) ?? []);
      const unit = found[0]?.unit;
      return unit === undefined ? [] : [{ name: `${title}, ${side}`, unit, values: found.map(({ value }) => value) }];
    }),
  );
}

/** The readings that it takes: a comparison with the engine alone takes ours only. */
export function wantedReadings(wanted: ReadonlySet<MeasureName>, side: 'ours' | 'theirs'): ReadonlySet<ReadingName> {
  const names = new Set(readingNames.filter((name) => wanted.has(name)));
  if (side === 'ours' && wanted.has('pods-ready-vs-docker')) names.add('pods-ready');
  return names;
}
