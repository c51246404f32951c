import { HyperupError } from '../base/errors.js';

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kb: 1e3,
  kib: 2 ** 10,
  m: 2 ** 20,
  mb: 1e6,
  mib: 2 ** 20,
  g: 2 ** 30,
  gb: 1e9,
  gib: 2 ** 30,
};
/** Below it the names of the chunks would outnumber reason. */
const leastBytes = 64 * 1024;

/** Bytes of `4GiB`, `700MB`, `650M` or `1048576`. Throws `Usage` naming the flag. */
export function parseSize(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim());
  const unit = units[(match?.[2] ?? '').toLowerCase()];
  const bytes = match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
  if (Number.isSafeInteger(bytes) && bytes >= leastBytes) return bytes;
  throw new HyperupError('Usage', `check options: ${flag}: got ${text}, want a size of at least 64KiB, such as 4GiB`);
}
