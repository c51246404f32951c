import type { CheckCase } from './check-case.js';
import { goodValues } from './good-facts.js';

const disks = (role: string, changes: Partial<(typeof goodValues.disks)[number]>) => ({
  disks: goodValues.disks.map((disk) => (disk.role === role ? { ...disk, ...changes } : disk)),
});

export const roomCases: Readonly<Record<string, readonly CheckCase[]>> = {
  memory: [
    {
      name: '900 MB',
      values: { memory: { totalBytes: 9e8, availableBytes: 8e8, swapTotalBytes: 0 } },
      severity: 'fail',
      found: /900 MB/,
    },
    {
      name: '1.2 GB',
      values: { memory: { totalBytes: 1.2e9, availableBytes: 1e9, swapTotalBytes: 0 } },
      severity: 'warn',
      found: /1\.20 GB/,
    },
    {
      name: '1.5 GB',
      values: { memory: { totalBytes: 1.5e9, availableBytes: 1e9, swapTotalBytes: 0 } },
      severity: 'ok',
      found: /1\.50 GB/,
    },
    {
      name: 'full',
      values: { memory: { totalBytes: 8e9, availableBytes: 2e8, swapTotalBytes: 0 } },
      severity: 'warn',
      found: /200 MB of it free/,
    },
  ],
  disk: [
    {
      name: 'images',
      values: disks('images', { freeBytes: 1.9e9 }),
      severity: 'fail',
      found: /1\.90 GB free for images at \/var\/lib\/docker, want 5\.00 GB/,
    },
    {
      name: 'images, tight',
      values: disks('images', { freeBytes: 4e9, totalBytes: 8e9 }),
      severity: 'warn',
      found: /4\.00 GB/,
    },
    {
      name: 'the state folder needs little',
      values: disks('state', { freeBytes: 3e8, totalBytes: 4e8 }),
      severity: 'ok',
      found: /300 MB/,
    },
    { name: 'but not nothing', values: disks('state', { freeBytes: 1e6 }), severity: 'fail', found: /the journal/ },
    { name: 'etcd', values: disks('etcd', { freeBytes: 1e8 }), severity: 'fail', found: /etcd/ },
    {
      name: 'inodes',
      values: disks('pods', { freeInodes: 10 }),
      severity: 'fail',
      found: /10 inodes free at \/var\/lib\/kubelet/,
    },
    { name: 'few inodes', values: disks('pods', { freeInodes: 5000 }), severity: 'warn', found: /5000 inodes/ },
    {
      name: 'no fixed inodes',
      values: disks('pods', { freeInodes: 0, totalInodes: 0 }),
      severity: 'ok',
      found: /free/,
    },
    {
      name: 'plenty, and yet the kubelet would evict',
      values: disks('images', { freeBytes: 100e9, totalBytes: 1000e9 }),
      severity: 'warn',
      found: /10 %: below 15 % the kubelet evicts/,
    },
  ],
  cpu: [{ name: 'one', values: { cpus: 1 }, severity: 'warn', found: /^1$/ }],
  swap: [
    {
      name: 'on',
      values: { memory: { totalBytes: 8e9, availableBytes: 6e9, swapTotalBytes: 2e9 } },
      severity: 'warn',
      found: /2\.00 GB/,
      fix: /swapoff/,
    },
  ],
  'bridge-netfilter': [
    {
      name: 'not loaded',
      values: { sysctls: {} },
      severity: 'fail',
      found: /no such setting/,
      fix: /modprobe br_netfilter/,
    },
    {
      name: 'off',
      values: { sysctls: { 'net.bridge.bridge-nf-call-iptables': '0' } },
      severity: 'warn',
      found: /^0$/,
      fixes: [{ kind: 'sysctl', key: 'net.bridge.bridge-nf-call-iptables', value: '1' }],
    },
  ],
  'ip-forward': [
    {
      name: 'off',
      values: { sysctls: { 'net.ipv4.ip_forward': '0' } },
      severity: 'warn',
      found: /^0$/,
      fixes: [{ kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' }],
    },
    { name: 'no such setting', values: { sysctls: {} }, severity: 'warn', found: /absent/ },
  ],
  'mount-propagation': [
    {
      name: 'private',
      values: { propagation: { mountPoint: '/', shared: false } },
      severity: 'warn',
      found: /\/var\/lib\/kubelet is on \/, private/,
      fixes: [{ kind: 'sharedMount', path: '/var/lib/kubelet' }],
    },
  ],
  clock: [
    {
      name: '1970',
      values: { clock: { ...goodValues.clock, nowMs: 0 } },
      severity: 'fail',
      found: /1970/,
      fix: /timedatectl/,
    },
    {
      name: 'older than an image',
      values: {
        clock: {
          ...goodValues.clock,
          newestKnownMs: goodValues.clock.nowMs + 3 * 86_400_000,
          newestKnown: 'image b:1',
        },
      },
      severity: 'warn',
      found: /3 d 0 h before image b:1 was made/,
    },
    {
      name: 'an hour off is a time zone',
      values: { clock: { ...goodValues.clock, newestKnownMs: goodValues.clock.nowMs + 3_600_000 } },
      severity: 'ok',
      found: /2026/,
    },
  ],
};
