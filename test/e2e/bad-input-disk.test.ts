import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { runCli } from './support/cli.js';
import { exists, offline, rememberHost, temporaryFolder, withoutCluster } from './support/cluster.js';
import { ensureClusterImages } from './support/cluster-images.js';
import { failsClearly } from './support/failure.js';
import { mountSmallDisk } from './support/small-disk.js';

// tap's own limit for a file is 30 s.
t.setTimeout(300_000);

t.before(async () => {
  await withoutCluster(t);
  await ensureClusterImages();
});

const page = 4096;
const megabyte = 1024 * 1024;
const full = [/no space left on device/i, /hint: The disk is full: free some room, then run the command again/];

interface Case {
  readonly name: string;
  /** The file system's size, bytes. */
  readonly size: number;
  /** How much of it is free when the install begins. */
  readonly free: number;
  /** What lies on it. */
  readonly holds: 'stateDir' | 'configDir' | 'etcdDir' | 'kubeletDir';
  readonly args?: readonly string[];
  readonly says: readonly RegExp[];
}

const cases: readonly Case[] = [
  {
    name: 'preflight finds it',
    size: 2 * megabyte,
    free: 4 * page,
    holds: 'stateDir',
    args: [],
    says: [/16\.4 kB free for the journal at \S+, want /, /Free some room there/, /hint: .*--skip-preflight disk/],
  },
  { name: 'no room for the journal', size: 2 * megabyte, free: 0, holds: 'stateDir', says: full },
  // One page for the lock, one for the journal.
  { name: 'the journal can be begun and no more', size: 2 * megabyte, free: 2 * page, holds: 'stateDir', says: full },
  // And one for the record, which is written aside before the old one goes.
  { name: 'it shows when all is done', size: 2 * megabyte, free: 3 * page, holds: 'stateDir', says: full },
  { name: 'no room for keys and certificates', size: 2 * megabyte, free: 16 * page, holds: 'configDir', says: full },
  {
    name: "no room for etcd's data",
    size: 2 * megabyte,
    free: 64 * page,
    holds: 'etcdDir',
    args: ['--skip-preflight', 'disk', '--timeout', '20s'],
    says: [/etcd/, /no space left on device/i],
  },
  {
    name: "no room in the kubelet's folder",
    size: 2 * megabyte,
    free: 0,
    holds: 'kubeletDir',
    args: ['--skip-preflight', 'disk', '--timeout', '20s'],
    says: [/no space left on device/i],
  },
];

for (const { name, size, free, holds, args = ['--skip-preflight', 'disk'], says } of cases) {
  t.test(`a full disk: ${name}`, async (t) => {
    const dir = await temporaryFolder(t);
    const disk = await mountSmallDisk(t, size);
    const config = join(dir, 'hyperup.yaml');
    // JSON is YAML.
    const paths = { etcdDir: '/var/lib/hyperup-test-etcd', [holds]: join(disk.path, 'data') };
    await writeFile(config, JSON.stringify({ cluster: { paths } }));
    await disk.leave(free);
    const hostIsAsBefore = await rememberHost();
    const kubeconfig = join(dir, 'config');
    const result = await runCli(['install', ...offline, '--config', config, '--kubeconfig', kubeconfig, ...args], {
      timeoutMs: 180_000,
    });
    failsClearly(t, result, { exitCode: 1, says });
    t.ok(result.elapsedMs < 60_000, `bounded: ${Math.round(result.elapsedMs)} ms`);
    t.notOk(await exists(kubeconfig), 'no kubeconfig was made');
    await hostIsAsBefore(t, 'the machine is as it was');
  });
}

t.test('a disk that was full and has room again takes the install up', async (t) => {
  const dir = await temporaryFolder(t);
  const disk = await mountSmallDisk(t, 2 * megabyte);
  const stateDir = join(disk.path, 'state');
  await mkdir(stateDir);
  await disk.leave(0);
  const args = ['install', ...offline, '--state-dir', stateDir, '--kubeconfig', join(dir, 'config')];
  const failed = await runCli([...args, '--skip-preflight', 'disk'], { timeoutMs: 60_000 });
  failsClearly(t, failed, { exitCode: 1, says: full });
  await disk.empty();
  const uninstalled = await runCli(['uninstall', '--yes', '--state-dir', stateDir], { timeoutMs: 60_000 });
  t.equal(uninstalled.exitCode, 0, 'uninstall finds nothing', { said: uninstalled.stderr });
});
