import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, release } from 'node:os';
import { join } from 'node:path';

/** What a node's status says of its machine; what couldn't be read is empty or 0. */
export interface MachineFacts {
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Of the file system that pods' folders are on. */
  readonly diskBytes: number;
  /** By page size in bytes: bytes set aside. */
  readonly hugePages: ReadonlyMap<number, number>;
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64', arm: 'arm' };

/**
 * Reads the machine's facts as cAdvisor does for the Go kubelet. `hostRoot` is where the host's root folder is seen, empty for
 * our own.
 */
export async function readMachineFacts(hostRoot: string, rootDir: string): Promise<MachineFacts> {
  const host = (path: string) => readText(`${hostRoot}${path}`);
  const [machineId, dbusId, uuid, bootId, osRelease, meminfo, disk] = await Promise.all([
    host('/etc/machine-id'),
    host('/var/lib/dbus/machine-id'),
    readText('/sys/class/dmi/id/product_uuid'),
    readText('/proc/sys/kernel/random/boot_id'),
    host('/etc/os-release'),
    readText('/proc/meminfo'),
    statfs(rootDir).catch(() => undefined),
  ]);
  const id = machineId || dbusId;
  return {
    machineId: id,
    systemUuid: uuid || id,
    bootId,
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? 'Linux',
    architecture: goArchitectures[process.arch] ?? process.arch,
    cpus: availableParallelism(),
    memoryBytes: Number(/^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024,
    diskBytes: disk ? disk.blocks * disk.bsize : 0,
    hugePages: await readHugePages(),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return '';
  }
}

/** Both sizes that amd64 has; a size that the kernel doesn't know counts as none. */
async function readHugePages(): Promise<ReadonlyMap<number, number>> {
  const pages = new Map<number, number>();
  for (const kilobytes of [2048, 1_048_576]) {
    const count = await readText(join('/sys/kernel/mm/hugepages', `hugepages-${kilobytes}kB`, 'nr_hugepages'));
    if (count !== '') pages.set(kilobytes * 1024, Number(count) * kilobytes * 1024);
  }
  return pages;
}
