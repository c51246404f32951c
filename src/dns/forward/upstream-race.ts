import { HyperupError, isHyperupError } from '../../base/errors.js';
import { rcodes } from '../wire/constants.js';
import type { ForwardMetrics } from './forward-metrics.js';
import { askOverTcp } from './tcp-exchange.js';
import { type Upstream, type UpstreamAnswer, upstreamName } from './types.js';
import { createUdpExchange } from './udp-exchange.js';
import { readUpstreamAnswer } from './upstream-message.js';

export interface RaceTimes {
  /** How long the first resolver has the question for itself, and each next one. */
  readonly headStartMs: number;
  /** For one try. */
  readonly tryMs: number;
  /** For all tries: less than the 5 s after which clients ask again. */
  readonly totalMs: number;
}

export const defaultRaceTimes: RaceTimes = { headStartMs: 250, tryMs: 2000, totalMs: 4500 };

export interface UpstreamRace {
  /** The first good answer; where there is none the last bad one. Throws where none came: `Timeout`, `ApiFailed`, `Aborted`. */
  ask(query: Buffer): Promise<UpstreamAnswer>;
  /** One resolver's own answer, for the search for loops. */
  askOne(upstream: Upstream, query: Buffer): Promise<UpstreamAnswer>;
  /** Never asks it again. */
  exclude(upstream: Upstream): void;
  upstreams(): readonly Upstream[];
  close(): void;
}

interface Runner {
  readonly upstream: Upstream;
  readonly exchange: ReturnType<typeof createUdpExchange>;
  /** Failures one after another; those who answer are asked first. */
  failures: number;
}

/**
 * Asks resolvers in their order, each a head start after the one before and at once where that one failed, so that one
 * that is away costs a moment and not a timeout. Two rounds. What is cut short over UDP is asked again over TCP.
 */
export function createUpstreamRace(
  upstreams: readonly Upstream[],
  metrics: ForwardMetrics,
  times: RaceTimes = defaultRaceTimes,
): UpstreamRace {
  let runners: Runner[] = upstreams.map((upstream) => ({
    upstream,
    exchange: createUdpExchange(upstream),
    failures: 0,
  }));
  const closing = new AbortController();

  async function exchange(runner: Runner, query: Buffer): Promise<UpstreamAnswer> {
    const name = upstreamName(runner.upstream);
    const startedAt = performance.now();
    const read = (message: Buffer) => {
      const answer = readUpstreamAnswer(message);
      if (answer === undefined) throw new HyperupError('ApiFailed', `ask resolver ${name}: got a malformed answer`);
      return answer;
    };
    try {
      let answer = read(await runner.exchange.ask(query, times.tryMs));
      if (answer.truncated) {
        // What came counts if the rest can't be had.
        answer = await askOverTcp(runner.upstream, query, times.tryMs, closing.signal).then(read, () => answer);
      }
      runner.failures = 0;
      metrics.observe(name, answer.rcode, (performance.now() - startedAt) / 1000);
      return answer;
    } catch (error) {
      runner.failures += 1;
      metrics.observe(name, undefined, (performance.now() - startedAt) / 1000);
      throw error;
    }
  }

  return {
    askOne(upstream, query) {
      const runner = runners.find((one) => one.upstream === upstream);
      if (runner === undefined) return Promise.reject(new HyperupError('Aborted', 'ask a resolver: it is left out'));
      return exchange(runner, query);
    },
    ask(query) {
      const order = [...runners].sort((a, b) => a.failures - b.failures);
      const tries = [...order, ...order];
      return new Promise<UpstreamAnswer>((resolve, reject) => {
        let open = 0;
        let bad: UpstreamAnswer | undefined;
        let reason: unknown = new HyperupError('ApiFailed', 'ask a resolver: there is none');
        let next: NodeJS.Timeout | undefined;
        let over = false;
        const end = (answer: UpstreamAnswer | undefined) => {
          if (over) return;
          over = true;
          clearTimeout(next);
          clearTimeout(last);
          if (answer === undefined) reject(reason as Error);
          else resolve(answer);
        };
        const last = setTimeout(() => {
          reason = new HyperupError('Timeout', `ask resolvers: got no answer in ${times.totalMs} ms`);
          end(bad);
        }, times.totalMs);
        const start = () => {
          clearTimeout(next);
          const runner = over ? undefined : tries.shift();
          if (runner === undefined) {
            if (open === 0) end(bad);
            return;
          }
          open += 1;
          next = setTimeout(start, times.headStartMs);
          exchange(runner, query).then(
            (answer) => {
              open -= 1;
              if (answer.rcode === rcodes.noError || answer.rcode === rcodes.nameError) end(answer);
              else {
                // It won't change its mind.
                bad = answer;
                const again = tries.indexOf(runner);
                if (again >= 0) tries.splice(again, 1);
                start();
              }
            },
            (error: unknown) => {
              open -= 1;
              if (!isHyperupError(error, 'Timeout')) reason = error;
              start();
            },
          );
        };
        start();
      });
    },
    exclude(upstream) {
      const gone = runners.filter((runner) => runner.upstream === upstream);
      runners = runners.filter((runner) => runner.upstream !== upstream);
      for (const runner of gone) runner.exchange.close();
    },
    upstreams: () => runners.map(({ upstream }) => upstream),
    close() {
      closing.abort();
      for (const runner of runners) runner.exchange.close();
    },
  };
}
