import { isHyperupError } from '../base/errors.js';
import type { EmitProgress } from '../base/progress.js';
import type { DnsKind } from '../config/types.js';
import type { ObtainedImage } from '../mirror/outcome.js';
import { type DnsPlan, namedMirrors } from './plan-dns.js';

export interface ObtainDnsOptions {
  readonly plan: DnsPlan;
  readonly mirrors: readonly string[];
  /** Gets CoreDNS' image from these mirrors. Throws `ImageUnavailable`, as `obtainImages` does. */
  readonly obtain: (mirrors: readonly string[], emit: EmitProgress) => Promise<readonly ObtainedImage[]>;
  readonly emit: EmitProgress;
}

/**
 * Settles which server answers for the cluster's names, and gets what it needs. Where there is a choice, that CoreDNS is
 * not to be had is no failure and not worth a word. Throws what `obtain` throws where there is none.
 */
export async function obtainDns({
  plan,
  mirrors,
  obtain,
  emit,
}: ObtainDnsOptions): Promise<{ readonly dns: DnsKind; readonly images: readonly ObtainedImage[] }> {
  const [first, second] = plan;
  if (first !== 'coredns') return { dns: first, images: [] };
  if (second === undefined) return { dns: first, images: await obtain(mirrors, emit) };
  const quiet: EmitProgress = (event) => {
    if (event.type === 'transfer') emit(event);
  };
  try {
    return { dns: first, images: await obtain(namedMirrors(mirrors), quiet) };
  } catch (error) {
    if (!isHyperupError(error, 'ImageUnavailable')) throw error;
    return { dns: second, images: [] };
  }
}
