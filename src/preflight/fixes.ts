import type { Host } from '../host/host.js';
import type { Journal } from '../host/journal.js';
import { ensureSharedMount } from '../host/shared-mount.js';
import { setSysctl } from '../host/sysctl.js';
import type { Finding, HostFix } from './types.js';

/** A change of the host that puts a finding right; it journals itself and can be applied again. */
export interface ResolvedFix {
  readonly id: string;
  /** For people: `set net.ipv4.ip_forward to 1`. */
  readonly title: string;
  readonly fix: HostFix;
  /** Gives whether it changed anything. */
  apply(journal: Journal, host: Host): Promise<boolean>;
}

/** What install does by itself about these findings. Pure: nothing happens until one is applied. */
export function resolveFixes(findings: readonly Finding[]): readonly ResolvedFix[] {
  return findings.flatMap(({ id, fixes }) => fixes.map((fix) => resolveFix(id, fix)));
}

function resolveFix(id: string, fix: HostFix): ResolvedFix {
  switch (fix.kind) {
    case 'sysctl':
      return {
        id,
        fix,
        title: `set ${fix.key} to ${fix.value}`,
        apply: (journal, host) => setSysctl(journal, fix.key, fix.value, host),
      };
    case 'sharedMount':
      return {
        id,
        fix,
        title: `bind ${fix.path} on itself and share it`,
        apply: (journal, host) => ensureSharedMount(journal, fix.path, host),
      };
  }
}
