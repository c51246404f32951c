import { formatBytes, formatDuration } from '../base/bytes.js';
import type { ProgressEvent } from '../base/progress.js';

type Transfer = Extract<ProgressEvent, { readonly type: 'transfer' }>;

const barWidth = 20;
const clearLine = '\r\u001B[K';

/** The one line that shows a transfer on a terminal, redrawn in place. */
export interface TransferLine {
  draw(event: Transfer): void;
  /** Takes the line away, for whatever is printed next. */
  clear(): void;
}

export function makeTransferLine(write: (text: string) => void, columns: () => number): TransferLine {
  let shown = false;
  /** The last word of each image that is on its way. */
  const moving = new Map<string, Transfer>();
  return {
    draw(event) {
      moving.set(event.image, event);
      write(`${clearLine}${transferText(together([...moving.values()], event), Math.max(20, columns() - 1))}`);
      shown = true;
      if (event.currentBytes >= event.totalBytes) moving.delete(event.image);
    },
    clear() {
      if (shown) write(clearLine);
      shown = false;
    },
  };
}

/** Several images as if they were one. */
function together(transfers: readonly Transfer[], last: Transfer): Transfer {
  if (transfers.length < 2) return last;
  const sum = (bytes: (transfer: Transfer) => number) => transfers.reduce((all, each) => all + bytes(each), 0);
  const currentBytes = sum((each) => each.currentBytes);
  const totalBytes = sum((each) => each.totalBytes);
  const bytesPerSecond = sum((each) => each.bytesPerSecond ?? 0);
  const leftMs = bytesPerSecond > 0 ? Math.round(((totalBytes - currentBytes) * 1000) / bytesPerSecond) : undefined;
  const source = [...new Set(transfers.flatMap((each) => each.source.split(', ')))].join(', ');
  return { ...last, source, currentBytes, totalBytes, bytesPerSecond, leftMs };
}

/** `[#######.............]  88 MB of 247 MB  45 MB/s  3.5 s left  from registry.example`, cut to `width` characters. */
export function transferText(event: Transfer, width: number): string {
  const { currentBytes, totalBytes, bytesPerSecond = 0, leftMs, source } = event;
  const share = totalBytes > 0 ? Math.min(1, currentBytes / totalBytes) : 0;
  const full = Math.floor(share * barWidth);
  const parts = [
    `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}]`,
    `${formatBytes(currentBytes)} of ${formatBytes(totalBytes)}`,
    ...(bytesPerSecond > 0 ? [`${formatBytes(bytesPerSecond)}/s`] : []),
    ...(leftMs !== undefined && leftMs > 0 ? [`${formatDuration(leftMs)} left`] : []),
    `from ${source}`,
  ];
  const text = parts.join('  ');
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
