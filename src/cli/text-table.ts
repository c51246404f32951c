/**
 * Columns padded to their widest cell, two spaces apart, no trailing blanks. A column without a single value is left out;
 * an empty cell shows as `-`.
 */
export function textTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const kept = headers.map((_, column) => column).filter((column) => rows.some((row) => (row[column] ?? '') !== ''));
  const lines = [headers, ...rows].map((row) => kept.map((column) => row[column] || '-'));
  const widths = kept.map((_, index) => Math.max(...lines.map((line) => visibleLength(line[index] ?? ''))));
  return lines
    .map((line) =>
      line
        .map((cell, index) => padCell(cell, widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function padCell(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - visibleLength(cell)));
}

/** Colour sequences take no room on screen. */
function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with a control character
  return text.replace(/\u001B\[\d+m/g, '').length;
}
