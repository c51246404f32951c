import { isHyperupError, messageOf } from '../base/errors.js';
import { failureKindOf } from '../registry/registry-error.js';
import type { FailureKind } from '../registry/types.js';

/** Why a registry did not show an image's manifest, as a closed set. */
export type ProbeFailureKind = FailureKind | 'platform';

export interface ProbeFailure {
  readonly ok: false;
  readonly kind: ProbeFailureKind;
  readonly reason: string;
  /** True where the registry as a whole failed, so that asking it for another image is in vain. */
  readonly wholeHost: boolean;
}

/** Failures that no image of that registry escapes. */
const ofTheHost: ReadonlySet<ProbeFailureKind> = new Set<ProbeFailureKind>([
  'dns',
  'refused',
  'unreachable',
  'timeout',
  'broken',
  'tls',
  'proxy',
  'notRegistry',
  'rateLimited',
]);

/** Makes a failure; by default one of this image only. */
export function probeFailure(kind: ProbeFailureKind, reason: string, wholeHost = false): ProbeFailure {
  return { ok: false, kind, reason, wholeHost };
}

/**
 * What an error of a registry's client says about that registry. `pinging`: it was asked what it is and for no image,
 * so that any failure is one of the host.
 */
export function failureOf(error: unknown, pinging: boolean): ProbeFailure {
  const kind = failureKindOf(error) ?? kindByCode(error);
  const status = isHyperupError(error) ? error.details['status'] : undefined;
  const broken = kind === 'status' && typeof status === 'number' && status >= 500;
  return probeFailure(kind, messageOf(error), pinging || broken || ofTheHost.has(kind));
}

function kindByCode(error: unknown): FailureKind {
  if (isHyperupError(error, 'Timeout')) return 'timeout';
  if (isHyperupError(error, 'NotFound')) return 'notFound';
  if (isHyperupError(error, 'PermissionDenied')) return 'login';
  if (isHyperupError(error, 'DigestMismatch')) return 'digest';
  // A manifest that no one can use.
  if (isHyperupError(error, 'ImageUnavailable') || isHyperupError(error, 'InvalidConfig')) return 'status';
  return 'broken';
}
