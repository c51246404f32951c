import { HyperupError } from '../base/errors.js';

/** The oldest API that hyperup speaks: Engine 20.10. */
export const floorApiVersion = '1.41';
/** The newest API whose answers hyperup knows; a newer engine is asked to speak this one. */
export const knownApiVersion = '1.52';

/** Negative where `a` is the older one. Versions are `major.minor`. */
export function compareApiVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}

/** What an engine says of itself in `GET /version`. */
export interface OfferedVersions {
  readonly engine: string;
  readonly max: string;
  readonly min: string;
}

/**
 * The version to pin: the newest that both sides know; the engine's oldest where even that is newer than what we know,
 * since Docker's API grows by addition. `wanted` (DOCKER_API_VERSION) overrides it within what the engine offers.
 * Throws `EngineFailed` for an engine below 1.41, `InvalidConfig` for a `wanted` that can't be had.
 */
export function chooseApiVersion(offered: OfferedVersions, wanted?: string): string {
  if (compareApiVersions(offered.max, floorApiVersion) < 0) {
    throw new HyperupError(
      'EngineFailed',
      `talk to Docker Engine ${offered.engine}: it speaks API ${offered.max}, want ${floorApiVersion} or later`,
      {
        hint: 'Upgrade Docker to 20.10 or later.',
        details: { offered: offered.max, wanted: floorApiVersion },
      },
    );
  }
  if (wanted) return checkWanted(offered, wanted.replace(/^v/, ''));
  if (compareApiVersions(offered.min, knownApiVersion) > 0) return offered.min;
  return compareApiVersions(offered.max, knownApiVersion) < 0 ? offered.max : knownApiVersion;
}

function checkWanted(offered: OfferedVersions, wanted: string): string {
  const lowest = compareApiVersions(offered.min, floorApiVersion) > 0 ? offered.min : floorApiVersion;
  const valid = /^\d+\.\d+$/.test(wanted);
  if (valid && compareApiVersions(wanted, lowest) >= 0 && compareApiVersions(wanted, offered.max) <= 0) return wanted;
  throw new HyperupError(
    'InvalidConfig',
    `DOCKER_API_VERSION: got ${wanted}, want ${lowest} to ${offered.max} with Docker Engine ${offered.engine}`,
    { hint: 'Unset DOCKER_API_VERSION: the version is negotiated with the engine.', details: { wanted } },
  );
}
