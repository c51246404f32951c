import t from 'tap';
import {
  ceilToDivisor,
  compareQuantities,
  formatBytes,
  formatMillis,
  milliValue,
  parseQuantity,
  toMillis,
  wholeValue,
} from '../../../../src/kubelet/pod/quantity.js';

t.test('quantities are read in every notation', async (t) => {
  const cases: [text: string, unit: number, millis: number][] = [
    ['0', 0, 0],
    ['100m', 0.1, 100],
    ['0.1', 0.1, 100],
    ['.5', 0.5, 500],
    ['1.', 1, 1000],
    ['+2', 2, 2000],
    ['-1', -1, -1000],
    ['1e3', 1000, 1_000_000],
    ['1E3', 1000, 1_000_000],
    ['1E', 1e18, 1e21],
    ['1e-3', 0.001, 1],
    ['1.5Gi', 1610612736, 1610612736000],
    ['12Mi', 12582912, 12582912000],
    ['12M', 12e6, 12e9],
    ['5k', 5000, 5e6],
    ['12Ei', 2 ** 63, 2 ** 63 * 1000],
    ['1n', 1e-9, 1],
    ['0.0000000001', 1e-9, 1],
    ['250u', 0.00025, 1],
    ['0.57', 0.57, 570],
    ['00012', 12, 12000],
  ];
  for (const [text, unit, millis] of cases) {
    t.equal(parseQuantity(text), unit, text);
    t.equal(milliValue(text), millis, `${text} in thousandths`);
  }
});

t.test('what is no quantity is refused', async (t) => {
  for (const text of ['', 'abc', '1 Gi', '1gi', '1Kib', '1.2.3', '--1', '1e', 'Gi', '.', '1mi', '0x10']) {
    t.throws(() => parseQuantity(text), { code: 'InvalidConfig' }, text || '(empty)');
  }
});

t.test('rounding and comparing', async (t) => {
  t.equal(wholeValue('1500m'), 2);
  t.equal(wholeValue('-1500m'), -2);
  t.equal(toMillis(0.069), 69, 'a float of its own error is not rounded up');
  t.equal(toMillis(0.0691), 70);
  t.equal(compareQuantities('1Gi', '1G'), 1);
  t.equal(compareQuantities('1000m', '1'), 0);
  t.equal(compareQuantities('1', '2'), -1);
});

t.test('divisors round up, and none is one', async (t) => {
  const cases: [text: string, divisor: string | undefined, want: string][] = [
    ['250m', undefined, '1'],
    ['250m', '1m', '250'],
    ['1500m', '1', '2'],
    ['32Mi', '1Mi', '32'],
    ['33Mi', '32Mi', '2'],
    ['64Mi', '0', '67108864'],
    ['9223372036854775807', '1', '9223372036854775807'],
  ];
  for (const [text, divisor, want] of cases) t.equal(ceilToDivisor(text, divisor), want, `${text} in ${divisor}`);
});

t.test('canonical forms', async (t) => {
  const bytes: [number, string][] = [
    [0, '0'],
    [1000, '1000'],
    [1024, '1Ki'],
    [1536, '1536'],
    [8167848 * 1024, '8167848Ki'],
    [1073741824, '1Gi'],
  ];
  for (const [value, want] of bytes) t.equal(formatBytes(value), want, want);
  t.equal(formatMillis(2000), '2');
  t.equal(formatMillis(1500), '1500m');
});
