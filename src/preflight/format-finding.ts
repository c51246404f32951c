import type { Finding } from './types.js';

/** A finding as plain lines: what it is about and what was found, then what was wanted and the fix. */
export function formatFinding(finding: Finding): string[] {
  const { id, severity, title, found, wanted, fix } = finding;
  const first = `${severity.padEnd(4)}  ${title} (${id}): ${found}`;
  if (severity === 'ok') return [first];
  return [first, `      want: ${wanted}`, ...(fix === '' ? [] : [`      fix:  ${fix}`])];
}
