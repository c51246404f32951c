import { lookup } from 'node:dns/promises';
import { cpus, hostname } from 'node:os';
import type { Clock } from '../base/clock.js';
import { readLocalAddresses } from '../config/host-facts.js';
import type { Engine } from '../docker/types.js';
import type { Host } from '../host/host.js';
import type { ProbeEngine } from './privileged-probe.js';

/** What preflight asks of an engine. */
export type PreflightEngine = ProbeEngine & Pick<Engine, 'info' | 'listContainers' | 'listImages'>;

/** Where facts come from; tests give their own. */
export interface FactSources {
  readonly host: Host;
  readonly clock: Clock;
  /** Undefined where none answered; then `engineError` says why. */
  readonly engine: PreflightEngine | undefined;
  readonly engineError?: unknown;
  uid(): number;
  cpus(): number;
  hostname(): string;
  /** Addresses of this machine's interfaces. */
  localAddresses(): readonly string[];
  /** Addresses of a name; rejects where it has none. */
  lookup(name: string): Promise<readonly string[]>;
}

/** The facts of the machine that this process runs on. */
export function systemFactSources(
  given: Pick<FactSources, 'host' | 'clock' | 'engine'> & { readonly engineError?: unknown },
): FactSources {
  return {
    ...given,
    uid: () => process.getuid?.() ?? -1,
    cpus: () => cpus().length,
    hostname,
    localAddresses: readLocalAddresses,
    lookup: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  };
}
