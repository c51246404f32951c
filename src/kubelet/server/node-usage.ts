import { readFile, statfs } from 'node:fs/promises';
import type { Clock } from '../../base/clock.js';
import { readTextIfPresent } from '../../base/files.js';
import type { NetworkStats } from '../../docker/runtime-types.js';
import type { FsUsage, NodeUsage } from './server-types.js';

export interface NodeUsageOptions {
  readonly clock: Clock;
  /** The kubelet's folder, by whose file system the node's is judged. */
  readonly rootDir: string;
  /** Where the engine keeps images, as seen from here. */
  readonly imageDir: string;
  /** Default `/proc`. */
  readonly procDir?: string | undefined;
}

/** The kernel's clock ticks, in nanoseconds: 100 a second on every platform that Docker runs on. */
const tickNanoseconds = 10_000_000;

/** Reads the machine's state from /proc. What it lacks is 0. */
export function createNodeUsage(options: NodeUsageOptions): () => Promise<NodeUsage> {
  const proc = options.procDir ?? '/proc';
  return async () => {
    const text = (name: string) => readTextIfPresent(`${proc}/${name}`).then((found) => found ?? '');
    const [stat, meminfo, vmstat, dev, route, loadavg, pidMax, fs, imageFs] = await Promise.all([
      readFile(`${proc}/stat`, 'utf8'),
      text('meminfo'),
      text('vmstat'),
      // Of process 1: the kubelet's own network may be another.
      text('1/net/dev'),
      text('1/net/route'),
      text('loadavg'),
      text('sys/kernel/pid_max'),
      fsUsage(options.rootDir),
      fsUsage(options.imageDir),
    ]);
    const memory = (name: string) => field(meminfo, `${name}:`) * 1024;
    const usage = memory('MemTotal') - memory('MemFree');
    const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (stat.split('\n')[0] ?? '')
      .split(/\s+/)
      .map(Number);
    return {
      timeMs: options.clock.now(),
      startTimeMs: field(stat, 'btime') * 1000,
      cpus: stat.match(/^cpu\d+ /gm)?.length ?? 0,
      cpuUsageNanoseconds: (user + nice + system + irq + softirq + steal) * tickNanoseconds,
      memoryCapacityBytes: memory('MemTotal'),
      memoryUsageBytes: usage,
      memoryWorkingSetBytes: Math.max(0, usage - memory('Inactive(file)')),
      memoryAvailableBytes: Math.max(0, memory('MemFree') + memory('Inactive(file)')),
      memoryRssBytes: memory('AnonPages'),
      pageFaults: field(vmstat, 'pgfault'),
      majorPageFaults: field(vmstat, 'pgmajfault'),
      networks: networksOf(dev),
      defaultInterface: /^(\S+)\t00000000\t/m.exec(route)?.[1] ?? '',
      fs,
      imageFs,
      processes: Number(/\/(\d+)/.exec(loadavg)?.[1] ?? 0),
      maxProcesses: Number(pidMax.trim()) || 0,
    };
  };
}

/** The number after a name at a line's start. */
function field(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(/\s+/)[1] ?? 0);
}

/** Counters by interface of `/proc/<pid>/net/dev`, the loopback left out. */
export function networksOf(dev: string): Record<string, NetworkStats> {
  const networks: Record<string, NetworkStats> = {};
  for (const line of dev.split('\n').slice(2)) {
    const [name = '', rest = ''] = line.trim().split(/:\s*/);
    const numbers = rest.split(/\s+/).map(Number);
    if (name === '' || name === 'lo' || numbers.length < 11) continue;
    const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = numbers;
    networks[name] = { rxBytes, rxErrors, txBytes, txErrors };
  }
  return networks;
}

async function fsUsage(path: string): Promise<FsUsage> {
  try {
    const { bsize, blocks, bavail, bfree, files, ffree } = await statfs(path);
    return {
      availableBytes: bavail * bsize,
      capacityBytes: blocks * bsize,
      usedBytes: (blocks - bfree) * bsize,
      inodes: files,
      inodesFree: ffree,
      inodesUsed: files - ffree,
    };
  } catch {
    return {};
  }
}
