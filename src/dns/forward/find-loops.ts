import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { isHyperupError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { classIn, recordTypes } from '../wire/constants.js';
import { nameKey } from '../wire/names.js';
import type { Query } from '../wire/query.js';
import { type Upstream, upstreamName } from './types.js';
import { makeUpstreamQuery } from './upstream-message.js';
import type { UpstreamRace } from './upstream-race.js';

export interface LoopFinder {
  /** True for a question that we sent out ourselves; its resolver is left out from then on. */
  isOwn(query: Query): boolean;
  /** Sends each resolver a name that nobody else knows, again later where one doesn't answer. Resolves when all are done. */
  run(signal: AbortSignal): Promise<void>;
}

/** Waits between tries: a resolver may come up after us. */
const pausesMs = [0, 2000, 10_000, 30_000, 120_000] as const;

/**
 * Finds resolvers that hand our own questions back to us (as CoreDNS' `loop` does, with an HINFO query of two random
 * labels), and leaves them out rather than end: the cluster's own names must be served all the same.
 */
export function createLoopFinder(options: {
  readonly race: UpstreamRace;
  readonly clock: Clock;
  readonly logger: Logger;
}): LoopFinder {
  const { race, clock, logger } = options;
  const probes = new Map<string, Upstream>();

  async function probe(upstream: Upstream): Promise<boolean> {
    const key = nameKey(`${randomBytes(8).toString('hex')}.${randomBytes(8).toString('hex')}`) ?? '';
    probes.set(key, upstream);
    const question = { key, type: recordTypes.hinfo, class: classIn, dnssecOk: false, checkingDisabled: false };
    try {
      await race.askOne(upstream, makeUpstreamQuery(question));
      return true;
    } catch (error) {
      logger.debug('A resolver did not answer the search for loops', { resolver: upstreamName(upstream) });
      return isHyperupError(error, 'Aborted');
    } finally {
      probes.delete(key);
    }
  }

  return {
    isOwn(query) {
      if (query.type !== recordTypes.hinfo) return false;
      const upstream = probes.get(query.key);
      if (upstream === undefined) return false;
      if (race.upstreams().includes(upstream)) {
        race.exclude(upstream);
        logger.error(
          'A resolver sends our questions back to us: left out. Name others with --upstream or --resolv-conf',
          {
            resolver: upstreamName(upstream),
            left: race.upstreams().map(upstreamName),
          },
        );
      }
      return true;
    },
    async run(signal) {
      const open = new Set(race.upstreams());
      for (const pauseMs of pausesMs) {
        try {
          if (pauseMs > 0) await clock.sleep(pauseMs, signal);
        } catch {
          return;
        }
        const done = await Promise.all([...open].map(async (upstream) => ((await probe(upstream)) ? [upstream] : [])));
        for (const upstream of done.flat()) open.delete(upstream);
        if (open.size === 0 || signal.aborted) return;
      }
    },
  };
}
