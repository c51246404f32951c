import { HyperupError } from '../../base/errors.js';

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of Go's duration text, `1h30m`, `2.5s`, `0`. Throws `InvalidConfig` for anything else. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.replace(/^[+-]/, '')) {
    throw new HyperupError('InvalidConfig', `read duration: got ${JSON.stringify(text)}, want such as 10s or 1h30m`);
  }
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitMs[unit ?? ''] ?? 0), 0);
  return text.startsWith('-') ? -ms : ms;
}
