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
  // The Go kubelet with the request rates that hyperup gives it; all others are with its own.
  'tuned-pods-ready',
  'tuned-pods-deleted',
] as const;
export type ReadingName = (typeof readingNames)[number];

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
  /** Whose reading it is where that isn't the one of its name. */
  readonly ours?: ReadingName;
  readonly theirs?: ReadingName | 'docker';
}

/**
 * The goals are those against the Go kubelet as everybody has it. Its request rates are what holds it up with many pods,
 * and with them lifted the engine's own work is more than half of its time: there the goal is not to be slower.
 */
const definitions = {
  'pods-ready': { unit: 's', goal: 0.45 },
  'pods-ready-vs-tuned': { unit: 's', goal: 1, ours: 'pods-ready', theirs: 'tuned-pods-ready' },
  'pods-ready-vs-docker': { unit: 's', goal: 1.6, ours: 'pods-ready', theirs: 'docker' },
  'one-pod-ready': { unit: 'ms', goal: 0.8 },
  'pods-deleted': { unit: 's', goal: 0.8 },
  'pods-deleted-vs-tuned': { unit: 's', goal: 1, ours: 'pods-deleted', theirs: 'tuned-pods-deleted' },
  'idle-cpu-5': { unit: '%', goal: 1 },
  'idle-cpu-50': { unit: '%', goal: 1 },
  'memory-50': { unit: 'MB', goal: 1 },
  exec: { unit: 'ms', goal: 1 },
  cp: { unit: 'MB/s', goal: 0.8, atLeast: true },
  'node-ready': { unit: 's', goal: 2, kind: 'value' },
} as const satisfies Readonly<Record<string, Definition>>;
export type MeasureName = keyof typeof definitions;

/** What BENCH_ONLY chooses from. */
export const measureNames = Object.keys(definitions) as readonly MeasureName[];

function definitionOf(name: MeasureName): Required<Pick<Definition, 'ours' | 'theirs'>> & Definition {
  const definition: Definition = definitions[name];
  // A measure that names no reading bears a reading's name.
  return { ours: name as ReadingName, theirs: name as ReadingName, ...definition };
}

/** The measures that were asked for, in the order of `definitions`. Throws where a round lacks one. Pure. */
export function measuresOf(rounds: readonly Round[], wanted: ReadonlySet<MeasureName>): readonly Measure[] {
  return measureNames
    .filter((name) => wanted.has(name))
    .map((name) => {
      const { kind, ours: ourReading, theirs: theirReading, ...definition } = definitionOf(name);
      const ours = rounds.map((round) => present(round.ours.values[ourReading], name));
      const theirs = rounds.map((round) =>
        present(theirReading === 'docker' ? round.dockerSeconds : round.theirs.values[theirReading], name),
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

/** The readings that it takes. */
export function wantedReadings(wanted: ReadonlySet<MeasureName>, side: 'ours' | 'theirs'): ReadonlySet<ReadingName> {
  const names = [...wanted].map((name) => definitionOf(name)[side]);
  return new Set(names.filter((name) => name !== 'docker'));
}
