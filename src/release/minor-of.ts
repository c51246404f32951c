/** The minor of a Kubernetes version with or without the leading v: 20 for `v1.20.2`; NaN for what is none. */
export function minorOf(version: string): number {
  return Number(/^v?\d+\.(\d+)/.exec(version)?.[1] ?? Number.NaN);
}
