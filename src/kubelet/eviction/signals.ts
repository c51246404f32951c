import { readFile, statfs } from 'node:fs/promises';
import { threshold } from '../node/node-capacity.js';

/** What can run out on a node (v1.20 `pkg/kubelet/eviction/api/types.go`). */
export type EvictionSignal =
  | 'memory.available'
  | 'nodefs.available'
  | 'nodefs.inodesFree'
  | 'imagefs.available'
  | 'imagefs.inodesFree'
  | 'pid.available';

export interface SignalReading {
  readonly available: number;
  readonly capacity: number;
}

export type SignalReadings = ReadonlyMap<EvictionSignal, SignalReading>;

export const conditionOfSignal: Readonly<Record<EvictionSignal, 'MemoryPressure' | 'DiskPressure' | 'PIDPressure'>> = {
  'memory.available': 'MemoryPressure',
  'nodefs.available': 'DiskPressure',
  'nodefs.inodesFree': 'DiskPressure',
  'imagefs.available': 'DiskPressure',
  'imagefs.inodesFree': 'DiskPressure',
  'pid.available': 'PIDPressure',
};

/** The resource that a signal is about, as messages name it. */
export const resourceOfSignal: Readonly<Record<EvictionSignal, string>> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};

export interface SignalSources {
  /** On the file system that pods' folders are on. */
  readonly rootDir: string;
  /** On the one that images are on. */
  readonly imageDir: string;
}

/** Reads all signals; one that can't be read is left out, and then nothing is evicted for its sake. */
export async function readSignals({ rootDir, imageDir }: SignalSources): Promise<SignalReadings> {
  const readings = new Map<EvictionSignal, SignalReading>();
  const [meminfo, load, pidMax, nodefs, imagefs] = await Promise.all([
    readFile('/proc/meminfo', 'utf8').catch(() => ''),
    readFile('/proc/loadavg', 'utf8').catch(() => ''),
    readFile('/proc/sys/kernel/pid_max', 'utf8').catch(() => ''),
    statfs(rootDir).catch(() => undefined),
    statfs(imageDir).catch(() => undefined),
  ]);
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? NaN);
  const total = kilobytes('MemTotal');
  const available = kilobytes('MemAvailable');
  if (total > 0 && available >= 0) {
    readings.set('memory.available', { available: available * 1024, capacity: total * 1024 });
  }
  for (const [name, disk] of [['nodefs', nodefs] as const, ['imagefs', imagefs] as const]) {
    if (!disk || disk.blocks === 0) continue;
    readings.set(`${name}.available`, { available: disk.bavail * disk.bsize, capacity: disk.blocks * disk.bsize });
    // Some file systems make inodes as they go, and report none.
    if (disk.files > 0) readings.set(`${name}.inodesFree`, { available: disk.ffree, capacity: disk.files });
  }
  const processes = Number(/ \d+\/(\d+) /.exec(load)?.[1] ?? NaN);
  const most = Number(pidMax.trim() || NaN);
  if (most > 0 && processes > 0) readings.set('pid.available', { available: most - processes, capacity: most });
  return readings;
}

/** The signals below their thresholds. Pure. */
export function findMet(
  readings: SignalReadings,
  thresholds: Readonly<Record<string, string>>,
): readonly EvictionSignal[] {
  return [...readings].flatMap(([signal, { available, capacity }]) => {
    const text = thresholds[signal];
    return text !== undefined && available < threshold(text, capacity) ? [signal] : [];
  });
}
