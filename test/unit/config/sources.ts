import type { Environment } from '../../../src/config/environment.js';
import type { ConfigFile } from '../../../src/config/find-config-files.js';
import type { HostFacts } from '../../../src/config/host-facts.js';
import type { OptionPath } from '../../../src/config/option-table.js';
import type { ResolveSources } from '../../../src/config/resolve-options.js';

export const host: HostFacts = {
  hostname: 'Edge-1.Lab',
  homeDir: '/home/ada',
  workingDir: '/work-dir',
  nodeAddress: '192.0.2.7',
  sudoUser: undefined,
};

/** Sources of one run: only what a case sets differs from a bare machine. */
export function sources(
  given: {
    readonly flags?: Readonly<Partial<Record<OptionPath, unknown>>>;
    readonly env?: Environment;
    readonly files?: readonly ConfigFile[];
    readonly host?: Partial<HostFacts>;
    readonly known?: ResolveSources['known'];
  } = {},
): ResolveSources {
  return {
    flags: given.flags ?? {},
    env: given.env ?? {},
    files: given.files ?? [],
    host: { ...host, ...given.host },
    known: given.known ?? {
      releases: [
        { version: 'v1.20.2', dockershim: true },
        { version: 'v1.20.15', dockershim: true },
        { version: 'v1.24.0', dockershim: false },
      ],
    },
  };
}
