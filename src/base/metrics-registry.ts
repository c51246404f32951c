/** Values of a metric's labels, by the names that it was made with. */
export type LabelValues = Readonly<Record<string, string>>;

export interface Counter {
  add(labels?: LabelValues, by?: number): void;
}

export interface Gauge {
  set(value: number, labels?: LabelValues): void;
  add(by: number, labels?: LabelValues): void;
}

export interface Histogram {
  observe(value: number, labels?: LabelValues): void;
}

/** A value that is made for one scrape. */
export interface Sample {
  readonly labels?: LabelValues | undefined;
  readonly value: number;
  /** Behind the family's name: `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string | undefined;
  /** When it was measured; where it isn't now. */
  readonly timeMs?: number | undefined;
}

/** What a collector gives of one metric at a scrape. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

/** Metrics of one process, in Prometheus' text format 0.0.4. A name made twice is one metric. */
export interface MetricsRegistry {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  histogram(name: string, help: string, buckets?: readonly number[]): Histogram;
  /** Asked at each scrape; what it throws leaves its families out. */
  collect(collector: () => readonly MetricFamily[] | Promise<readonly MetricFamily[]>): void;
  render(): Promise<string>;
}

/** Prometheus' own, in seconds. */
export const defaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

interface Kept {
  readonly head: string;
  /** By rendered labels. */
  readonly values: Map<string, number>;
  readonly histograms: Map<string, { readonly labels: string; readonly counts: number[]; sum: number; count: number }>;
  readonly buckets: readonly number[];
}

export function createMetricsRegistry(): MetricsRegistry {
  const metrics = new Map<string, Kept>();
  const collectors: (() => readonly MetricFamily[] | Promise<readonly MetricFamily[]>)[] = [];

  function keep(name: string, help: string, type: string, buckets: readonly number[] = []): Kept {
    const known = metrics.get(name);
    if (known !== undefined) return known;
    const made: Kept = { head: headOf(name, help, type), values: new Map(), histograms: new Map(), buckets };
    metrics.set(name, made);
    return made;
  }

  function adder(kept: Kept) {
    return (by: number, labels?: LabelValues) => {
      const key = labelText(labels);
      kept.values.set(key, (kept.values.get(key) ?? 0) + by);
    };
  }

  return {
    counter(name, help) {
      const add = adder(keep(name, help, 'counter'));
      return { add: (labels, by = 1) => add(by, labels) };
    },
    gauge(name, help) {
      const kept = keep(name, help, 'gauge');
      return { set: (value, labels) => void kept.values.set(labelText(labels), value), add: adder(kept) };
    },
    histogram(name, help, buckets = defaultBuckets) {
      const kept = keep(name, help, 'histogram', buckets);
      return {
        observe(value, labels) {
          const key = labelText(labels);
          let entry = kept.histograms.get(key);
          if (entry === undefined) {
            entry = { labels: key, counts: kept.buckets.map(() => 0), sum: 0, count: 0 };
            kept.histograms.set(key, entry);
          }
          for (const [index, bound] of kept.buckets.entries()) {
            if (value <= bound) entry.counts[index] = (entry.counts[index] ?? 0) + 1;
          }
          entry.sum += value;
          entry.count++;
        },
      };
    },
    collect: (collector) => void collectors.push(collector),
    async render() {
      const collected = await Promise.all(
        collectors.map(async (collector) => {
          try {
            return await collector();
          } catch {
            return [];
          }
        }),
      );
      const kept = [...metrics].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, metric]) => keptText(name, metric));
      return kept.join('') + renderFamilies(collected.flat());
    },
  };
}

/** Families as text, those without samples left out. Pure. */
export function renderFamilies(families: readonly MetricFamily[]): string {
  return families
    .filter((family) => family.samples.length > 0)
    .map((family) => {
      const lines = family.samples.map(({ labels, value, timeMs, suffix = '' }) => {
        const time = timeMs === undefined ? '' : ` ${Math.round(timeMs)}`;
        return `${family.name}${suffix}${labelText(labels)} ${numberText(value)}${time}\n`;
      });
      return headOf(family.name, family.help, family.type) + lines.join('');
    })
    .join('');
}

function keptText(name: string, metric: Kept): string {
  const lines = [...metric.values].map(([labels, value]) => `${name}${labels} ${numberText(value)}\n`);
  for (const { labels, counts, sum, count } of metric.histograms.values()) {
    const withBound = (bound: string) => (labels === '' ? `{le="${bound}"}` : `${labels.slice(0, -1)},le="${bound}"}`);
    for (const [index, bound] of metric.buckets.entries()) {
      lines.push(`${name}_bucket${withBound(String(bound))} ${counts[index] ?? 0}\n`);
    }
    lines.push(`${name}_bucket${withBound('+Inf')} ${count}\n`);
    lines.push(`${name}_sum${labels} ${numberText(sum)}\n`, `${name}_count${labels} ${count}\n`);
  }
  return lines.length === 0 ? '' : metric.head + lines.join('');
}

function headOf(name: string, help: string, type: string): string {
  const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n`;
}

function labelText(labels: LabelValues | undefined): string {
  if (labels === undefined) return '';
  const parts = Object.entries(labels).map(([name, value]) => {
    const text = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    return `${name}="${text}"`;
  });
  return parts.length === 0 ? '' : `{${parts.sort().join(',')}}`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
