/** What a figure counts. `''` is a bare number. */
export type MeasureUnit = 's' | 'ms' | 'MB' | 'MB/s' | '%' | '';

/** What a figure is held against. */
export type Goal = Pick<MeasureBase, 'goal' | 'atLeast'>;

interface MeasureBase {
  /** Kebab-case; unique in a run. */
  readonly name: string;
  readonly unit: MeasureUnit;
  /** The greatest figure that passes; the least one with `atLeast`. */
  readonly goal: number;
  /** More is better. */
  readonly atLeast?: boolean;
}

/** Ours against theirs, run by run; judged by the ratio of the two medians. */
export interface RatioMeasure extends MeasureBase {
  readonly kind: 'ratio';
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/** A figure of ours alone, run by run; judged by its median. */
export interface ValueMeasure extends MeasureBase {
  readonly kind: 'value';
  readonly values: readonly number[];
  /** What theirs came to, printed beside it; not judged. */
  readonly theirs?: readonly number[];
}

export type Measure = RatioMeasure | ValueMeasure;

/** The middle value, or the mean of the two middle ones. Throws on an empty list: nothing was measured. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  if (low === undefined || high === undefined) throw new Error('median: got no values, want at least one');
  return (low + high) / 2;
}

/** The figure that is held against the goal. */
export function figureOf(measure: Measure): number {
  return measure.kind === 'ratio' ? median(measure.ours) / median(measure.theirs) : median(measure.values);
}

/** True where the goal is met; by the exact figure, not by the rounded one that is printed. */
export function meetsGoal(measure: Measure): boolean {
  return passes(figureOf(measure), measure);
}

function passes(value: number, { goal, atLeast = false }: Goal): boolean {
  return atLeast ? value >= goal : value <= goal;
}

/** `<= 5s`, `>= 0.8`; a ratio has no unit. With a space between sign and figure where `space` is one. */
export function formatGoal({ kind, goal, unit, atLeast = false }: Measure, space = ''): string {
  return `${atLeast ? '>=' : '<='}${space}${goal}${kind === 'value' ? unit : ''}`;
}

const digitsOf: Readonly<Record<MeasureUnit, number>> = { s: 1, ms: 0, MB: 1, 'MB/s': 0, '%': 2, '': 0 };

/** Decimals in a unit's usual precision. */
export function unitDigits(unit: MeasureUnit): number {
  return digitsOf[unit];
}

/** A figure in its unit's usual precision: `8.9s`, `92ms`. */
export function formatFigure(value: number, unit: MeasureUnit): string {
  return `${value.toFixed(unitDigits(unit))}${unit}`;
}

/** Rounded to so many digits, or to as many more as it takes for a missed goal not to read as met, nor a met one as missed. */
export function formatAgainst(value: number, goal: Goal, digits: number): string {
  for (let more = digits; more < digits + 9; more += 1) {
    const text = value.toFixed(more);
    if (passes(Number(text), goal) === passes(value, goal)) return text;
  }
  return String(value);
}

/** The line that a machine reads: `bench: install ratio=0.52 goal<=0.6 ours=8.9s theirs=17.1s`. */
export function benchLine(measure: Measure): string {
  const { name, unit } = measure;
  const figure = figureOf(measure);
  const middle = (values: readonly number[]) => formatFigure(median(values), unit);
  if (measure.kind === 'value') {
    const theirs = measure.theirs ? ` theirs=${middle(measure.theirs)}` : '';
    return `bench: ${name} value=${formatAgainst(figure, measure, unitDigits(unit))}${unit} goal${formatGoal(measure)}${theirs}`;
  }
  const sides = `ours=${middle(measure.ours)} theirs=${middle(measure.theirs)}`;
  return `bench: ${name} ratio=${formatAgainst(figure, measure, 2)} goal${formatGoal(measure)} ${sides}`;
}
