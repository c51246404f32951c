import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { RunCommand } from '../../../src/base/run-command.js';
import {
  diffSnapshots,
  formatDifference,
  type Snapshot,
  snapshotSections,
  takeSnapshot,
} from '../../../src/host/snapshot.js';
import { makeHost, programMissing, succeed, writeFiles } from './support.js';

const run: RunCommand = async (file) => {
  if (file !== 'iptables-nft-save') throw programMissing(file);
  return succeed('*nat\n:OUTPUT ACCEPT [7:9]\n:MINE - [0:0]\n[1:2] -A OUTPUT -j MINE\nCOMMIT\n');
};
const stat = (pid: number, comm: string, parent: number) =>
  `${pid} (${comm}) S ${parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n`;
const files = {
  '/proc/self/mountinfo':
    '27 1 254:0 / / rw - ext4 /dev/vda rw\n30 27 0:9 / /run rw shared:3 master:4 - tmpfs tmpfs rw\n',
  '/proc/net/route':
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\n',
  '/proc/net/tcp': 'header\n 0: 00000000:0016 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/proc/sys/custom/key': 'a\tb\n',
  '/sys/class/net/lo/mtu': '',
  '/proc/10/stat': stat(10, 'sshd', 1),
  '/proc/10/cmdline': 'sshd\0-D\0',
  '/proc/11/stat': stat(11, 'node', 1),
  '/proc/11/cmdline': 'node\0test\0',
  '/proc/12/stat': stat(12, 'iptables-save', 11),
  '/proc/12/cmdline': 'iptables-save\0',
  '/proc/13/stat': stat(13, 'kthread', 2),
  '/proc/13/cmdline': '',
  '/etc/file': 'text',
};
const options = { roots: ['/etc'], sysctls: ['custom.key'], pid: 11 };

t.test('a machine as lines', async (t) => {
  const snapshot = await takeSnapshot(await makeHost(t, files, run), options);
  const { sysctls, files: found, ...rest } = snapshot;
  t.strictSame(rest, {
    mounts: ['/ ext4 / private', '/run tmpfs / shared,master'],
    netfilter: ['nft ipv4 nat -A OUTPUT -j MINE', 'nft ipv4 nat :MINE -', 'nft ipv4 nat :OUTPUT ACCEPT'],
    links: ['lo'],
    routes: ['0.0.0.0/0 via 192.0.2.1 eth0'],
    ports: ['tcp 0.0.0.0 22 ?'],
    processes: ['sshd: sshd -D'],
    cgroups: [],
  });
  t.ok(sysctls.includes('net.ipv4.ip_forward = 1') && sysctls.includes('custom.key = a b'));
  t.ok(sysctls.includes('vm.panic_on_oom = (absent)'));
  t.match(found, [/^\/etc folder/, /^\/etc\/file file/]);
  t.same(JSON.parse(JSON.stringify(snapshot)), snapshot, 'plain data');
});

t.test('nothing changed: nothing differs', async (t) => {
  const host = await makeHost(t, files, run);
  t.same(diffSnapshots(await takeSnapshot(host, options), await takeSnapshot(host, options)), []);
});

t.test('what came, went and changed, unless it is named as noise', async (t) => {
  const host = await makeHost(t, files, run);
  const before = await takeSnapshot(host, options);
  await writeFiles(host.root, {
    '/proc/sys/net/ipv4/ip_forward': '0\n',
    '/sys/class/net/docker0/mtu': '',
    '/etc/file': 'other',
    '/etc/new file': '',
  });
  await rm(join(host.root, '/proc/10'), { recursive: true });
  const after = await takeSnapshot(host, options);
  const lines = (list: ReturnType<typeof diffSnapshots>) => list.map(formatDifference);
  const noise = [{ section: 'processes', pattern: /^sshd/ }] as const;
  t.match(lines(diffSnapshots(before, after)), [
    '+ links: docker0',
    '- processes: sshd: sshd -D',
    '~ sysctls: net.ipv4.ip_forward = 1 -> net.ipv4.ip_forward = 0',
    /^~ files: \/etc\/file .* -> \/etc\/file /,
    /^\+ files: \/etc\/new file file/,
  ]);
  t.equal(diffSnapshots(before, after, noise).length, 4);
  t.equal(diffSnapshots(before, after, [{ section: 'files', pattern: /sshd/ }]).length, 5, 'noise is of one section');
});

t.test('equal lines are counted', async (t) => {
  const empty = Object.fromEntries(snapshotSections.map((section) => [section, []])) as unknown as Snapshot;
  const two = { ...empty, processes: ['sh: sh', 'sh: sh'] };
  const three = { ...empty, processes: ['sh: sh', 'sh: sh', 'sh: sh'] };
  t.same(diffSnapshots(two, three), [{ section: 'processes', change: 'added', line: 'sh: sh' }]);
  t.same(diffSnapshots(three, two), [{ section: 'processes', change: 'removed', line: 'sh: sh' }]);
});
