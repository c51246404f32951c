import t from 'tap';
import { toContainerStats, type WireStats } from '../../../src/docker/container-stats.js';

const read = '2024-05-01T10:00:00.5Z';
const base = {
  timeMs: Date.parse(read),
  cpuUsageNanoseconds: 7,
  memoryUsageBytes: 100,
  pageFaults: 5,
  majorPageFaults: 1,
  processes: 2,
  networks: {},
};
const common = { read, cpu_stats: { cpu_usage: { total_usage: 7 } }, pids_stats: { current: 2 } };

const cases: readonly { readonly name: string; readonly wire: WireStats; readonly want: object | undefined }[] = [
  {
    name: 'cgroup v1',
    wire: {
      ...common,
      memory_stats: {
        usage: 100,
        stats: { total_inactive_file: 30, inactive_file: 9, total_rss: 40, pgfault: 5, pgmajfault: 1 },
      },
    },
    want: { ...base, memoryWorkingSetBytes: 70, memoryRssBytes: 40 },
  },
  {
    name: 'cgroup v2',
    wire: {
      ...common,
      memory_stats: { usage: 100, stats: { inactive_file: 25, anon: 41, pgfault: 5, pgmajfault: 1 } },
      networks: { eth0: { rx_bytes: 1, rx_errors: 2, tx_bytes: 3 } },
    },
    want: {
      ...base,
      memoryWorkingSetBytes: 75,
      memoryRssBytes: 41,
      networks: { eth0: { rxBytes: 1, rxErrors: 2, txBytes: 3, txErrors: 0 } },
    },
  },
  {
    name: 'more inactive pages than usage, as a reading may catch them',
    wire: { read, memory_stats: { usage: 10, stats: { inactive_file: 25 } } },
    want: { memoryUsageBytes: 10, memoryWorkingSetBytes: 0, processes: 0 },
  },
  { name: 'it does not run', wire: { read: '0001-01-01T00:00:00Z', memory_stats: {} }, want: undefined },
];

for (const { name, wire, want } of cases) {
  t.test(name, async (test) => {
    const stats = toContainerStats(wire);
    if (want === undefined) test.equal(stats, undefined);
    else test.match(stats, want);
  });
}
