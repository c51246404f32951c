/** The minor number of a Kubernetes version: 20 for `v1.20.2`. Not a number where the text is no version. */
export function minorVersion(version: string): number {
  return Number(/^v?\d+\.(\d+)/.exec(version)?.[1] ?? Number.NaN);
}
