import { networkInterfaces } from 'node:os';
import { readTextIfPresent } from '../base/files.js';
import type { Logger } from '../base/logger.js';
import { chooseUpstreams, nameserversOf, type UpstreamChoice } from './forward/choose-upstreams.js';
import { type Upstream, upstreamName } from './forward/types.js';
import type { DnsOptions } from './options.js';

/**
 * The resolvers to ask: those named, else those of the first file that names a usable one. What would lead back here is
 * left out with a line of the log; without any the cluster's own names are served alone.
 */
export async function findUpstreams(
  options: Pick<DnsOptions, 'upstreams' | 'resolvConf' | 'listen'>,
  logger: Logger,
): Promise<readonly Upstream[]> {
  const ownAddresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const choose = (wanted: readonly Upstream[], from: string, explicit: boolean): UpstreamChoice => {
    const choice = chooseUpstreams(wanted, { listen: options.listen, ownAddresses, explicit });
    for (const { upstream, reason } of choice.refused) {
      logger.warn('A resolver is left out', { resolver: upstreamName(upstream), from, reason });
    }
    return choice;
  };
  const log = (upstreams: readonly Upstream[], from: string) =>
    logger.info('Forwarding names outside of the cluster', { resolvers: upstreams.map(upstreamName), from });

  if (options.upstreams.length > 0) {
    const { upstreams } = choose(options.upstreams, '--upstream', true);
    if (upstreams.length > 0) log(upstreams, '--upstream');
    else warnNone(logger);
    return upstreams;
  }
  for (const path of options.resolvConf) {
    const text = await readTextIfPresent(path);
    const { upstreams } = choose(nameserversOf(text ?? ''), path, false);
    if (upstreams.length > 0) {
      log(upstreams, path);
      return upstreams;
    }
  }
  warnNone(logger);
  return [];
}

function warnNone(logger: Logger): void {
  logger.warn('There is no usable resolver: names outside of the cluster are refused. Name one with --upstream');
}
