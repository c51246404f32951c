import type { MirrorReport, MirrorSurvey } from './types.js';

/** Reports from best to worst: who has most, then who is quickest, then who answers. Pure. */
export function rankMirrors(reports: readonly MirrorReport[]): readonly MirrorReport[] {
  return reports.toSorted(
    (a, b) =>
      Number(serves(b)) - Number(serves(a)) ||
      held(b).length - held(a).length ||
      (b.bytesPerSecond ?? 0) - (a.bytesPerSecond ?? 0) ||
      Number(b.reachable) - Number(a.reachable) ||
      (a.latencyMs ?? Number.POSITIVE_INFINITY) - (b.latencyMs ?? Number.POSITIVE_INFINITY),
  );
}

/**
 * What to write after `--mirror`: those that serve, the best first, since several at once are quicker and cover for
 * one another. `upstream` is left out at the end of the list, where it stands by itself. Pure.
 */
export function suggestMirrors(
  ranked: readonly MirrorReport[],
  images: readonly string[],
): Pick<MirrorSurvey, 'suggestion' | 'uncovered'> {
  const good = ranked.filter(serves);
  const words = good.map(({ word }) => word);
  const suggestion = words.at(-1) === 'upstream' ? words.slice(0, -1) : words;
  const covered = new Set(good.flatMap(held));
  return { suggestion, uncovered: images.filter((name) => !covered.has(name)) };
}

function serves(report: MirrorReport): boolean {
  return report.bytesPerSecond !== undefined && held(report).length > 0;
}

function held({ images }: MirrorReport): readonly string[] {
  return images.filter(({ has }) => has).map(({ name }) => name);
}
