import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Environment } from '../config/environment.js';
import { parseDnsFlags } from '../dns/dns-flags.js';
import { keepYoungGenerationSmall } from '../dns/small-heap.js';

export interface DnsProcess {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Runs the cluster's DNS server until the signal fires. Throws `Usage`, and what `runDns` throws. */
export async function runDnsProcess({ argv, ...run }: DnsProcess): Promise<void> {
  keepYoungGenerationSmall();
  const options = parseDnsFlags(argv);
  const { runDns } = await import('../dns/dns-server.js');
  await runDns(options, run);
}
