/** What a file's TAP came to. */
export interface TapCount {
  /** Assertions, and test files or subtests that failed without one (a crash, a wrong plan). */
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** `name # SKIP reason`, one a skip. */
  readonly skips: readonly string[];
}

interface Level {
  /** Whether a failure was counted below this level since its last test point. */
  failedBelow: boolean;
  /** Whether there was any test point below. */
  pointsBelow: boolean;
}

/**
 * Counts the assertions of TAP 14, at any depth: a test point that closes a subtest repeats what was counted within it, and
 * counts only where it failed and nothing within it did. A `# TODO` counts as skipped.
 */
export function countTap(text: string): TapCount {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const skips: string[] = [];
  const levels = new Map<number, Level>();
  const levelAt = (depth: number) => {
    const level = levels.get(depth) ?? { failedBelow: false, pointsBelow: false };
    levels.set(depth, level);
    return level;
  };
  let diagnostic: number | undefined;
  for (const line of text.split('\n')) {
    const depth = line.length - line.trimStart().length;
    const content = line.trim();
    // YAML diagnostics may quote anything, test points included.
    if (diagnostic !== undefined) {
      if (content === '...' && depth === diagnostic) diagnostic = undefined;
      continue;
    }
    if (content === '---') {
      diagnostic = depth;
      continue;
    }
    if (/^Bail out!/i.test(content) && depth === 0) counts.failed += 1;
    const skippedPlan = /^1\.\.0\b\s*#\s*(?:skip\s*)?(.*)$/i.exec(content);
    if (skippedPlan !== null && depth === 0 && !/no tests found/i.test(content)) {
      counts.skipped += 1;
      skips.push(`the whole file # SKIP ${skippedPlan[1]}`);
    }
    const point = /^(not )?ok\b(?: \d+)?(?: - )?(.*)$/.exec(content);
    if (point === null || depth % 4 !== 0) continue;
    const [, negated, rest = ''] = point;
    const level = levelAt(depth);
    const { failedBelow, pointsBelow } = level;
    level.failedBelow = false;
    level.pointsBelow = false;
    const directive = /(?:^|\s)#\s*(skip|todo)\b/i.test(rest);
    const failed = negated !== undefined && !directive;
    if (directive) {
      counts.skipped += 1;
      skips.push(rest.trim());
    } else if (failed) {
      if (!failedBelow) counts.failed += 1;
    } else if (!pointsBelow) counts.passed += 1;
    for (let above = depth - 4; above >= 0; above -= 4) {
      const outer = levelAt(above);
      outer.pointsBelow = true;
      if (failed) outer.failedBelow = true;
    }
  }
  return { ...counts, skips };
}
