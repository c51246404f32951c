import { HyperupError } from '../../base/errors.js';

const shape = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]))?$/;
const decimalExponents: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binaryPowers: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const binaryUnits = ['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const;
const nano = 1_000_000_000n;
/** The API's cap for binary quantities: 2^63 - 1. */
const maxBinary = ((1n << 63n) - 1n) * nano;

/**
 * An API quantity (`1.5Gi`, `100m`, `1e3`) in billionths of its unit, exactly; smaller parts round away from zero.
 * Throws `InvalidConfig` (Kubernetes v1.20 `apimachinery/pkg/api/resource/quantity.go`).
 */
export function quantityNanos(text: string): bigint {
  const match = shape.exec(text);
  const [, sign = '', whole = '', fraction = '', exponentText, suffix = ''] = match ?? [];
  if (!match || (whole === '' && fraction === '')) {
    throw new HyperupError('InvalidConfig', `read quantity: got "${text}", want a number such as 100m or 1.5Gi`, {
      details: { text },
    });
  }
  const digits = BigInt(`${whole}${fraction}`);
  const power = binaryPowers[suffix];
  const exponent = exponentText === undefined ? (decimalExponents[suffix] ?? 0) : clampExponent(exponentText.slice(1));
  const scale = 9 + exponent - fraction.length;
  const shifted = digits << (power ?? 0n);
  let value = scale >= 0 ? shifted * 10n ** BigInt(scale) : ceilDivide(shifted, 10n ** BigInt(-scale));
  if (power !== undefined && value > maxBinary) value = maxBinary;
  return sign === '-' ? -value : value;
}

/** Beyond these nothing more is told apart, and the power would take forever. */
function clampExponent(text: string): number {
  return Math.max(-400, Math.min(400, Number(text)));
}

/** Neither is negative. */
function ceilDivide(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}

/** A quantity in its unit (cores, bytes, pieces), as a float: good for comparing and for sums of bytes. Throws `InvalidConfig`. */
export function parseQuantity(text: string): number {
  // Most are plain numbers.
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return nanosToNumber(quantityNanos(text));
}

/** Billionths as a float of the whole unit. */
export function nanosToNumber(nanos: bigint): number {
  return Number(nanos / nano) + Number(nanos % nano) / 1e9;
}

/** In whole units, rounded up (upstream `Quantity.Value`). Throws `InvalidConfig`. */
export function wholeValue(text: string): number {
  return Number(roundUp(quantityNanos(text), nano));
}

/** In thousandths, rounded up: `100m` and `0.1` are 100. Throws `InvalidConfig`. */
export function milliValue(text: string): number {
  return Number(roundUp(quantityNanos(text), 1_000_000n));
}

/** Thousandths of a float that `parseQuantity` or `podRequests` gave, rounded up but never for a float's own error. */
export function toMillis(value: number): number {
  return Math.ceil(Math.round(value * 1e9) / 1e6);
}

/** Away from zero, as upstream rounds. */
function roundUp(nanos: bigint, by: bigint): bigint {
  return nanos < 0n ? -ceilDivide(-nanos, by) : ceilDivide(nanos, by);
}

/** Below zero, zero or above: which of the two is greater. Throws `InvalidConfig`. */
export function compareQuantities(a: string, b: string): number {
  const difference = quantityNanos(a) - quantityNanos(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/**
 * How many divisors the quantity takes, rounded up, in decimal digits; no divisor or `0` is 1. Throws `InvalidConfig`
 * (v1.20 `pkg/api/v1/resource/helpers.go`, `convertResource…ToString`).
 */
export function ceilToDivisor(text: string, divisor: string | undefined): string {
  const by = divisor === undefined ? nano : quantityNanos(divisor);
  return String(roundUp(quantityNanos(text), by === 0n ? nano : by));
}

/** Whole bytes as a canonical binary quantity: the largest unit that leaves no rest (`1Gi`, `8167848Ki`, `1000`). */
export function formatBytes(bytes: number): string {
  const whole = BigInt(Math.ceil(bytes));
  for (const unit of binaryUnits) {
    const power = binaryPowers[unit] ?? 0n;
    if (whole !== 0n && whole % (1n << power) === 0n) return `${whole >> power}${unit}`;
  }
  return String(whole);
}

/** Thousandths as a canonical decimal quantity: `1500m`, `2`. */
export function formatMillis(millis: number): string {
  const whole = Math.ceil(millis);
  return whole % 1000 === 0 ? String(whole / 1000) : `${whole}m`;
}
