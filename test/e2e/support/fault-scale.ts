/** How hard the tests of faults are on the kubelet: quick by default, to the full with `HYPERUP_FAULTS=full`. */
export interface FaultScale {
  /** How often the kubelet is killed. */
  readonly kills: number;
  readonly apiServerAwayMs: number;
  readonly engineAwayMs: number;
}

export const faultScale: FaultScale =
  process.env['HYPERUP_FAULTS'] === 'full'
    ? { kills: 30, apiServerAwayMs: 300_000, engineAwayMs: 120_000 }
    : { kills: 10, apiServerAwayMs: 20_000, engineAwayMs: 10_000 };
