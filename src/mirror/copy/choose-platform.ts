import { HyperupError } from '../../base/errors.js';
import type { Descriptor, Platform } from '../../registry/types.js';

/** Go's names (`GOARCH`) of the machines that Node runs on (`process.arch`). */
const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64', arm: 'arm' };

/** The platform whose images this machine runs; `processArch` is Node's `process.arch`. */
export function machinePlatform(processArch: string): Platform {
  return { os: 'linux', architecture: goArchitectures[processArch] ?? processArch };
}

/** Reads `OS/ARCH[/VARIANT]`. Throws `Usage`. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  const isGood = [os, architecture, variant ?? 'v'].every((part) => part !== undefined && /^[a-z0-9._-]+$/.test(part));
  if (!isGood || os === undefined || architecture === undefined || rest.length > 0) {
    throw new HyperupError('Usage', `read platform: got "${text}", want OS/ARCH[/VARIANT] such as linux/arm64`);
  }
  return { os, architecture, variant };
}

/** `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/**
 * The image for a platform, the first where several are: with its variant where one is wanted, else preferring the one
 * without. Undefined where there is none. `arm64` and `arm64/v8` are the same.
 */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const variant = variantOf(wanted);
  const exact = fitting.find(({ platform }) => platform !== undefined && variantOf(platform) === variant);
  return exact ?? (wanted.variant === undefined ? fitting[0] : undefined);
}

function variantOf({ architecture, variant }: Platform): string | undefined {
  return architecture === 'arm64' && variant === 'v8' ? undefined : variant;
}
