import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Keeps the young generation at the megabyte that it begins with. It would grow to 48 MB while the first lists come in,
 * and never be needed again: what a query leaves behind is dead at once. Call it before anything is loaded.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** When the last list of several is a while past. */
const tidyAfterMs = 1000;

/** Gives back what whole lists left behind, which the collector would keep for later: some ten milliseconds, once a list. */
export function tidyLater(): { schedule(): void; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    schedule() {
      clearTimeout(timer);
      timer = setTimeout(collectGarbage, tidyAfterMs);
    },
    cancel: () => clearTimeout(timer),
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect === 'function') collect();
}
