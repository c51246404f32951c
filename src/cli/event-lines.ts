import { formatBytes, formatDuration } from '../base/bytes.js';
import type { ProgressEvent } from '../base/progress.js';
import { formatNote } from './output.js';
import { painter } from './paint.js';

export interface EventLineOptions {
  readonly color: boolean;
  /** Also print what commands and builds say. */
  readonly verbose: boolean;
}

/**
 * Gives a function that turns events into plain lines (undefined for those not worth one). A transfer gets a line at its
 * start, at each further quarter and at its end; a wait only when its reason changes.
 */
export function eventLines(options: EventLineOptions): (event: ProgressEvent) => string | undefined {
  const paint = painter(options.color);
  const quarters = new Map<string, number>();
  let lastWait = '';
  return (event) => {
    switch (event.type) {
      case 'step':
        return stepLine(event, paint);
      case 'transfer': {
        const { image, source, currentBytes, totalBytes } = event;
        const quarter = totalBytes > 0 ? Math.floor((4 * currentBytes) / totalBytes) : 0;
        const key = `${image} ${source}`;
        if ((quarters.get(key) ?? -1) >= quarter) return undefined;
        quarters.set(key, quarter);
        const total = totalBytes > 0 ? ` of ${formatBytes(totalBytes)}` : '';
        return `       ${image} from ${source}: ${formatBytes(currentBytes)}${total}`;
      }
      case 'output':
        return options.verbose ? paint('dim', `       | ${event.line}`) : undefined;
      case 'wait': {
        const line = `       waiting: ${event.reason}`;
        if (line === lastWait) return undefined;
        lastWait = line;
        return line;
      }
      case 'note':
        return formatNote(event);
    }
  };
}

const marks = {
  started: ['....', 'dim'],
  done: [' ok ', 'green'],
  skipped: ['skip', 'dim'],
  failed: ['FAIL', 'red'],
  undone: ['undo', 'yellow'],
} as const;

function stepLine(event: Extract<ProgressEvent, { readonly type: 'step' }>, paint: ReturnType<typeof painter>): string {
  const [mark, color] = marks[event.state];
  const detail = event.detail === undefined ? '' : `: ${event.detail}`;
  const elapsed = event.elapsedMs === undefined ? '' : ` (${formatDuration(event.elapsedMs)})`;
  return `[${paint(color, mark)}] ${event.title}${detail}${elapsed}`;
}
