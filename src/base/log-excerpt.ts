/** How much of a log to fetch for an excerpt: a kubelet that ends prints every goroutine's stack, thousands of lines. */
export const excerptSourceLines = 5000;

/** klog's fatal lines, and what Go's runtime prints before the stacks. */
const lastWord = /^(F\d{4} |panic: |fatal error: |runtime: out of memory)/;
const goroutineHead = /^goroutine \d+ \[/;

/**
 * The last lines of a Go program's log, without the stacks of goroutines that follow a fatal error; the last fatal line
 * comes first where it lies further back. Pure.
 */
export function logExcerpt(log: string, lines: number): string {
  const said = withoutStacks(log.split('\n'));
  const tail = said.slice(-lines);
  const fatal = said.findLastIndex((line) => lastWord.test(line));
  if (fatal < 0 || fatal >= said.length - lines) return tail.join('\n');
  return [said[fatal], '…', ...tail.slice(2)].join('\n');
}

/** A stack ends with an empty line; the next one, or the program's next start, follows. */
function withoutStacks(lines: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let inStack = false;
  for (const line of lines) {
    if (goroutineHead.test(line)) inStack = true;
    else if (line === '') inStack = false;
    else if (!inStack) kept.push(line);
  }
  return kept;
}
