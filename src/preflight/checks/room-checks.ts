import { formatBytes } from '../../base/bytes.js';
import type { DiskFact } from '../facts.js';
import { defineCheck } from '../types.js';

const GB = 1e9;

export const memoryCheck = defineCheck({
  id: 'memory',
  title: 'Memory',
  wanted: '1.5 GB or more',
  needs: ['memory'],
  examine: ({ memory: { totalBytes, availableBytes } }) => {
    const found = `${formatBytes(totalBytes)}, ${formatBytes(availableBytes)} of it free`;
    const fix = 'Use a machine with more memory, or end programs that need much of it.';
    if (totalBytes < 1 * GB) return { severity: 'fail', found, fix };
    // What control plane and kubelet hold when idle, with some room for pods.
    if (totalBytes < 1.5 * GB || availableBytes < 0.8 * GB) return { severity: 'warn', found, fix };
    return { severity: 'ok', found };
  },
});

export const cpuCheck = defineCheck({
  id: 'cpu',
  title: 'Processors',
  wanted: '2 or more',
  needs: ['cpus'],
  examine: ({ cpus }) =>
    cpus >= 2
      ? { severity: 'ok', found: String(cpus) }
      : { severity: 'warn', found: String(cpus), fix: 'It works with one, slowly: the control plane asks for 0.65.' },
});

/** Free room below which a role fails or warns, bytes. */
const needs: Readonly<
  Record<DiskFact['role'], { readonly fail: number; readonly warn: number; readonly what: string }>
> = {
  images: { fail: 2 * GB, warn: 5 * GB, what: 'images' },
  etcd: { fail: 0.5 * GB, warn: 2 * GB, what: 'etcd' },
  pods: { fail: 0.5 * GB, warn: 2 * GB, what: 'pods' },
  state: { fail: 0.02 * GB, warn: 0.2 * GB, what: 'the journal' },
};

/** The kubelet evicts pods when a file system has less than this free. Source: pkg/kubelet/apis/config/v1beta1/defaults. */
const evictionShare = { images: 0.15, pods: 0.1, etcd: 0, state: 0 } as const;

export const diskCheck = defineCheck({
  id: 'disk',
  title: 'Disk',
  wanted: 'room for images (5 GB), etcd and pods (2 GB each)',
  needs: ['disks'],
  examine: ({ disks }) => {
    const faults = disks.map((disk) => diskFault(disk)).filter((fault) => fault !== undefined);
    if (faults.length === 0) {
      const least = disks.reduce<DiskFact | undefined>((a, b) => (a && a.freeBytes <= b.freeBytes ? a : b), undefined);
      return { severity: 'ok', found: least ? `${formatBytes(least.freeBytes)} free at ${least.existing}` : 'enough' };
    }
    return {
      severity: faults.some(({ severity }) => severity === 'fail') ? 'fail' : 'warn',
      found: faults.map(({ text }) => text).join('; '),
      fix: 'Free some room there (docker system df shows what the engine holds), or choose other folders.',
    };
  },
});

function diskFault(disk: DiskFact): { readonly severity: 'fail' | 'warn'; readonly text: string } | undefined {
  const { role, path, freeBytes, totalBytes, freeInodes, totalInodes } = disk;
  const { fail, warn, what } = needs[role];
  const text = `${formatBytes(freeBytes)} free for ${what} at ${path}`;
  if (freeBytes < fail) return { severity: 'fail', text: `${text}, want ${formatBytes(warn)}` };
  // A file system that has no fixed number of inodes says 0 of 0.
  if (totalInodes > 0 && freeInodes < 1000) return { severity: 'fail', text: `${freeInodes} inodes free at ${path}` };
  if (freeBytes < warn) return { severity: 'warn', text: `${text}, want ${formatBytes(warn)}` };
  if (totalInodes > 0 && freeInodes < 20_000) return { severity: 'warn', text: `${freeInodes} inodes free at ${path}` };
  if (freeBytes < evictionShare[role] * totalBytes) {
    const percent = Math.floor((freeBytes / totalBytes) * 100);
    return {
      severity: 'warn',
      text: `${text} are ${percent} %: below ${evictionShare[role] * 100} % the kubelet evicts pods`,
    };
  }
  return undefined;
}

export const swapCheck = defineCheck({
  id: 'swap',
  title: 'Swap',
  wanted: 'none',
  needs: ['memory'],
  examine: ({ memory: { swapTotalBytes } }) =>
    swapTotalBytes === 0
      ? { severity: 'ok', found: 'none' }
      : {
          severity: 'warn',
          found: formatBytes(swapTotalBytes),
          fix: 'The kubelet is told to start all the same, but memory limits mean little with swap: swapoff -a, and remove it from /etc/fstab.',
        },
});
