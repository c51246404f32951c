import { textTable } from '../../src/cli/text-table.js';
import {
  figureOf,
  formatAgainst,
  formatFigure,
  formatGoal,
  type Measure,
  type MeasureUnit,
  median,
  meetsGoal,
  unitDigits,
} from './measures.js';

/** A row beside the measures, for context: it has no goal. */
export interface FactRow {
  readonly name: string;
  readonly unit: MeasureUnit;
  readonly values: readonly number[];
}

export interface BenchReport {
  readonly measures: readonly Measure[];
  readonly facts: readonly FactRow[];
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
}

/** The most runs whose figures are shown one by one. */
const shownRuns = 5;

function runsCell(figures: readonly string[], values: readonly number[], unit: MeasureUnit): string {
  if (figures.length <= shownRuns) return figures.join('  ');
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => formatFigure(value, unit));
  return `${figures.length} runs, ${least} to ${most}`;
}

function valueCell(values: readonly number[], unit: MeasureUnit): string {
  const figures = values.map((value) => formatFigure(value, unit));
  return runsCell(figures, values, unit);
}

function measureRows(measure: Measure): readonly (readonly string[])[] {
  const { name, unit } = measure;
  const figure = figureOf(measure);
  const goal = formatGoal(measure, ' ');
  const verdict = meetsGoal(measure) ? 'met' : 'MISSED';
  const side = (label: string, values: readonly number[]) => [
    `${name}, ${label}`,
    valueCell(values, unit),
    formatFigure(median(values), unit),
    '',
    '',
  ];
  if (measure.kind === 'value') {
    const text = `${formatAgainst(figure, measure, unitDigits(unit))}${unit}`;
    const own = [name, valueCell(measure.values, unit), text, goal, verdict];
    return measure.theirs ? [own, side('theirs', measure.theirs)] : [own];
  }
  const ratios = measure.ours.flatMap((value, run) => {
    const other = measure.theirs[run];
    return other === undefined ? [] : [value / other];
  });
  const perRun = runsCell(
    ratios.map((ratio) => ratio.toFixed(2)),
    ratios,
    '',
  );
  return [
    side('ours', measure.ours),
    side('theirs', measure.theirs),
    [`${name}, ratio`, perRun, formatAgainst(figure, measure, 2), goal, verdict],
  ];
}

/** The table for people, with each run's figures, then the facts and the notes. */
export function benchTable({ measures, facts, notes }: BenchReport): string {
  const parts = [textTable(['MEASURE', 'RUNS', 'MEDIAN', 'GOAL', 'VERDICT'], measures.flatMap(measureRows))];
  if (facts.length > 0) {
    const rows = facts.map(({ name, unit, values }) => [
      name,
      valueCell(values, unit),
      formatFigure(median(values), unit),
    ]);
    parts.push(textTable(['BESIDE IT', 'RUNS', 'MEDIAN'], rows));
  }
  if (notes.length > 0) parts.push(notes.map((note) => `- ${note}`).join('\n'));
  return parts.join('\n\n');
}
