import { textTable } from '../../src/cli/text-table.js';
import {
  figureOf,
  formatAgainst,
  formatFigure,
  type Measure,
  type MeasureUnit,
  median,
  meetsGoal,
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

/** The most runs that get a column each; where a measure has more, the table shows its range. */
const columns = 5;

function valueCells(values: readonly number[], unit: MeasureUnit): readonly string[] {
  const figures = values.map((value) => formatFigure(value, unit));
  const shown =
    figures.length <= columns
      ? figures
      : [`${formatFigure(Math.min(...values), unit)}-${formatFigure(Math.max(...values), unit)} of ${values.length}`];
  return [...shown, ...Array<string>(columns - shown.length).fill('')];
}

function measureRows(measure: Measure): readonly (readonly string[])[] {
  const { name, unit, goal } = measure;
  const verdict = meetsGoal(measure) ? 'met' : 'MISSED';
  if (measure.kind === 'value') {
    const { values } = measure;
    return [[name, ...valueCells(values, unit), formatFigure(median(values), unit), `<= ${goal}${unit}`, verdict]];
  }
  const side = (label: string, values: readonly number[]) => [
    `${name}, ${label}`,
    ...valueCells(values, unit),
    formatFigure(median(values), unit),
    '',
    '',
  ];
  const ratios = measure.ours.flatMap((value, run) => {
    const other = measure.theirs[run];
    return other === undefined ? [] : [(value / other).toFixed(2)];
  });
  const perRun = ratios.length <= columns ? ratios : [];
  const blanks = Array<string>(columns - perRun.length).fill('');
  return [
    side('ours', measure.ours),
    side('theirs', measure.theirs),
    [`${name}, ratio`, ...perRun, ...blanks, formatAgainst(figureOf(measure), goal, 2), `<= ${goal}`, verdict],
  ];
}

/** The table for people, with each run's figures, then the facts and the notes. */
export function benchTable({ measures, facts, notes }: BenchReport): string {
  const head = ['', ...Array.from({ length: columns }, (_, run) => `RUN ${run + 1}`), 'MEDIAN'];
  const parts = [textTable([...head, 'GOAL', 'VERDICT'], measures.flatMap(measureRows))];
  if (facts.length > 0) {
    parts.push(
      textTable(
        head,
        facts.map(({ name, unit, values }) => [name, ...valueCells(values, unit), formatFigure(median(values), unit)]),
      ),
    );
  }
  if (notes.length > 0) parts.push(notes.map((note) => `- ${note}`).join('\n'));
  return parts.join('\n\n');
}
