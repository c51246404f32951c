import type { MetricFamily, MetricsRegistry } from '../../base/metrics-registry.js';
import { rcodeName } from '../wire/constants.js';

/** What is counted of resolvers and the cache, by CoreDNS 1.7's names. */
export interface ForwardMetrics {
  /** One exchange; without an rcode it failed. */
  observe(to: string, rcode: number | undefined, seconds: number): void;
  hit(denial: boolean): void;
  miss(): void;
  servedStale(): void;
  /** Too many at once. */
  rejected(): void;
}

/** Registers them. `entries` is asked at each scrape. */
export function createForwardMetrics(
  registry: MetricsRegistry,
  server: string,
  entries: () => { readonly success: number; readonly denial: number },
): ForwardMetrics {
  const requests = registry.counter('coredns_forward_requests_total', 'Counter of requests made per upstream.');
  const responses = registry.counter('coredns_forward_responses_total', 'Counter of responses received per upstream.');
  const failures = registry.counter(
    'coredns_forward_healthcheck_failures_total',
    'Counter of the number of failed exchanges.',
  );
  const rejects = registry.counter(
    'coredns_forward_max_concurrent_rejects_total',
    'Counter of the number of queries rejected because the concurrent queries were at maximum.',
  );
  const seconds = registry.histogram(
    'coredns_forward_request_duration_seconds',
    'Histogram of the time each request took.',
  );
  const hits = registry.counter('coredns_cache_hits_total', 'The count of cache hits.');
  const misses = registry.counter('coredns_cache_misses_total', 'The count of cache misses.');
  const stale = registry.counter(
    'coredns_cache_served_stale_total',
    'The number of requests served from stale cache entries.',
  );
  registry.collect((): readonly MetricFamily[] => {
    const { success, denial } = entries();
    return [
      {
        name: 'coredns_cache_entries',
        help: 'The number of elements in the cache.',
        type: 'gauge',
        samples: [
          { labels: { server, type: 'success' }, value: success },
          { labels: { server, type: 'denial' }, value: denial },
        ],
      },
    ];
  });
  return {
    observe(to, rcode, duration) {
      requests.add({ to });
      seconds.observe(duration, { to });
      if (rcode === undefined) failures.add({ to });
      else responses.add({ to, rcode: rcodeName(rcode) });
    },
    hit: (denial) => hits.add({ server, type: denial ? 'denial' : 'success' }),
    miss: () => misses.add({ server }),
    servedStale: () => stale.add({ server }),
    rejected: () => rejects.add(),
  };
}
