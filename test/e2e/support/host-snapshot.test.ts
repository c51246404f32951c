import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { marker } from './cli.js';
import { compareSnapshots, type HostSnapshot, hostSnapshot } from './host-snapshot.js';
import { outputOf, type RunningProgram, startProgram } from './program.js';

const chain = `HYPERUP-T${process.pid}`;
const link = `hyt${process.pid}`;
const cgroup = `/sys/fs/cgroup/memory/kubepods-hyperup-${process.pid}`;
const sysctl = '/proc/sys/net/ipv4/ip_default_ttl';

interface Plant {
  readonly name: string;
  /** The lines that must come, and no others. */
  readonly shows: readonly RegExp[];
  readonly make: (folder: string) => Promise<void>;
  readonly remove: (folder: string) => Promise<void>;
}

const run = async (...[file = '', ...args]: readonly string[]): Promise<void> => {
  await outputOf(file, args);
};

let child: RunningProgram | undefined;
let ttl = '';

/** One of each kind of thing that an install makes. */
const plants: readonly Plant[] = [
  {
    name: 'a file',
    shows: [/^files: \+ \/run\/hyperup-snapshot-\w+\/file file of 5 bytes mode 0600 owner 0:0$/],
    make: (folder) => writeFile(join(folder, 'file'), 'hello', { mode: 0o600 }),
    remove: (folder) => rm(join(folder, 'file')),
  },
  {
    name: 'a mount that is shared',
    shows: [
      /^mounts: \+ .*\/run\/hyperup-snapshot-\w+ type /,
      /^mounts: \+ .*\/run\/hyperup-snapshot-\w+ propagation shared$/,
    ],
    make: async (folder) => {
      await run('mount', '--bind', folder, folder);
      await run('mount', '--make-shared', folder);
    },
    remove: (folder) => run('umount', folder),
  },
  {
    name: 'a netfilter chain with a rule',
    shows: [
      new RegExp(`^netfilter: \\+ iptables-save mangle :${chain} -$`),
      new RegExp(`^netfilter: \\+ iptables-save mangle -A ${chain} -j RETURN$`),
    ],
    make: async () => {
      await run('iptables', '-w', '-t', 'mangle', '-N', chain);
      await run('iptables', '-w', '-t', 'mangle', '-A', chain, '-j', 'RETURN');
    },
    remove: async () => {
      await run('iptables', '-w', '-t', 'mangle', '-F', chain);
      await run('iptables', '-w', '-t', 'mangle', '-X', chain);
    },
  },
  {
    name: 'a network link',
    shows: [
      new RegExp(`^links: \\+ ${link} kind veth `),
      new RegExp(`^links: \\+ ${link}p kind veth `),
      new RegExp(`^sysctls: \\+ .*${link}`),
    ],
    make: () => run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}p`),
    remove: () => run('ip', 'link', 'delete', link),
  },
  {
    name: 'a setting of the kernel',
    shows: [/^sysctls: - net\.ipv4\.ip_default_ttl=\d+$/, /^sysctls: \+ net\.ipv4\.ip_default_ttl=\d+$/],
    make: async () => {
      ttl = (await readFile(sysctl, 'utf8')).trim();
      await writeFile(sysctl, `${Number(ttl) - 1}`);
    },
    remove: () => writeFile(sysctl, ttl),
  },
  {
    name: "a process with the tests' mark",
    shows: [/^processes: \+ process \d+ sleep 600$/],
    make: async () => {
      child = startProgram('sleep', ['600'], { env: { [marker]: '1' } });
    },
    remove: async () => {
      child?.kill('SIGKILL');
      await child?.result;
    },
  },
  {
    name: "a pod's control group",
    shows: [new RegExp(`^cgroups: \\+ ${cgroup}$`)],
    make: () => mkdir(cgroup),
    remove: () => rmdir(cgroup),
  },
  {
    name: "an engine's volume",
    shows: [new RegExp(`^containers: \\+ volume ${link}$`)],
    make: () => run('docker', 'volume', 'create', '--label', 'io.hyperup.test=true', link),
    remove: () => run('docker', 'volume', 'rm', link),
  },
];

t.test(
  'a snapshot shows each kind of thing that an install makes, and nothing once it is gone',
  { timeout: 120_000 },
  async (t) => {
    const folder = await mkdtemp('/run/hyperup-snapshot-');
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const before: HostSnapshot = await hostSnapshot();
    t.same(compareSnapshots(before, await hostSnapshot()), [], 'two snapshots in a row are equal');
    for (const plant of plants) {
      await t.test(plant.name, async (t) => {
        let planted = true;
        t.teardown(() => (planted ? plant.remove(folder) : undefined));
        await plant.make(folder);
        const differences = compareSnapshots(before, await hostSnapshot());
        for (const pattern of plant.shows) {
          t.ok(
            differences.some((line) => pattern.test(line)),
            `${pattern} is shown`,
            { differences },
          );
        }
        t.same(
          differences.filter((line) => !plant.shows.some((pattern) => pattern.test(line))),
          [],
          'nothing else is shown',
        );
        planted = false;
        await plant.remove(folder);
        t.same(compareSnapshots(before, await hostSnapshot()), [], 'gone again');
      });
    }
  },
);

t.test('what goes away shows as well', async (t) => {
  const before = await hostSnapshot();
  const without: HostSnapshot = { ...before, netfilter: before.netfilter.slice(1) };
  t.same(compareSnapshots(before, without), [`netfilter: - ${before.netfilter[0]}`]);
});
