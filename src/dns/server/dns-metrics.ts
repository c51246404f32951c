import type { MetricFamily, MetricsRegistry, Sample } from '../../base/metrics-registry.js';
import { rcodeName, typeName } from '../wire/constants.js';

/** How a query came, as an index: 0 UDP, 1 TCP. */
export type TransportIndex = 0 | 1;

export interface DnsMetrics {
  /** One query that was answered: a few additions. `inZone`: of the cluster's own names. */
  count(transport: TransportIndex, ipv6: boolean, type: number, inZone: boolean, rcode: number, seconds: number): void;
  /** A handler failed, which should never be. */
  failed(): void;
}

/** CoreDNS' own (`plugin.TimeBuckets`): 0.25 ms and doubled 15 times. */
const buckets = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
const knownTypes = 256;
const rcodeCount = 17;

interface ZoneCounts {
  readonly zone: string;
  readonly requests: Float64Array;
  readonly responses: Float64Array;
  readonly durations: Float64Array;
  seconds: number;
}

/**
 * Requests, responses and durations by CoreDNS 1.7's names. Counted in arrays and put into words when they are asked for:
 * a query takes microseconds, and making labels would take as long.
 */
export function createDnsMetrics(registry: MetricsRegistry, server: string, zone: string): DnsMetrics {
  const zones = [`${zone}.`, '.'].map(
    (name): ZoneCounts => ({
      zone: name,
      requests: new Float64Array(4 * knownTypes),
      responses: new Float64Array(rcodeCount),
      durations: new Float64Array(buckets.length + 1),
      seconds: 0,
    }),
  ) as [ZoneCounts, ZoneCounts];
  const panics = registry.counter('coredns_panics_total', 'A metrics that counts the number of panics.');
  registry.collect(() => [requests(), responses(), durations()]);

  function requests(): MetricFamily {
    const sums = new Map<string, Sample>();
    for (const counts of zones) {
      for (const [index, value] of counts.requests.entries()) {
        if (value === 0) continue;
        const way = Math.floor(index / knownTypes);
        const labels = {
          server,
          zone: counts.zone,
          proto: (way & 1) === 0 ? 'udp' : 'tcp',
          family: (way & 2) === 0 ? '1' : '2',
          type: typeName(index % knownTypes),
        };
        const key = Object.values(labels).join(' ');
        sums.set(key, { labels, value: value + (sums.get(key)?.value ?? 0) });
      }
    }
    return {
      name: 'coredns_dns_requests_total',
      help: 'Counter of DNS requests made per zone, protocol and family.',
      type: 'counter',
      samples: [...sums.values()],
    };
  }

  function responses(): MetricFamily {
    const samples = zones.flatMap((counts) =>
      [...counts.responses].flatMap((value, rcode) =>
        value === 0 ? [] : [{ labels: { server, zone: counts.zone, rcode: rcodeName(rcode) }, value }],
      ),
    );
    return {
      name: 'coredns_dns_responses_total',
      help: 'Counter of response status codes.',
      type: 'counter',
      samples,
    };
  }

  function durations(): MetricFamily {
    const samples = zones.flatMap((counts): Sample[] => {
      const labels = { server, zone: counts.zone };
      let sum = 0;
      const steps = buckets.map((bound, i): Sample => {
        sum += counts.durations[i] ?? 0;
        return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: sum };
      });
      sum += counts.durations[buckets.length] ?? 0;
      if (sum === 0) return [];
      return [
        ...steps,
        { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: sum },
        { suffix: '_sum', labels, value: counts.seconds },
        { suffix: '_count', labels, value: sum },
      ];
    });
    return {
      name: 'coredns_dns_request_duration_seconds',
      help: 'Histogram of the time (in seconds) each request took per zone.',
      type: 'histogram',
      samples,
    };
  }

  return {
    count(transport, ipv6, type, inZone, rcode, seconds) {
      const counts = inZone ? zones[0] : zones[1];
      const way = transport + (ipv6 ? 2 : 0);
      add(counts.requests, way * knownTypes + (type < knownTypes ? type : 0));
      add(counts.responses, rcode < rcodeCount ? rcode : 0);
      let bucket = 0;
      while (bucket < buckets.length && seconds > (buckets[bucket] ?? 0)) bucket += 1;
      add(counts.durations, bucket);
      counts.seconds += seconds;
    },
    failed: () => panics.add(),
  };
}

function add(counts: Float64Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}
