import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { RunCommand } from '../../src/base/run-command.js';
import { listChains, listKubeChains, removeKubeChains } from '../../src/host/netfilter.js';
import { runCommand } from '../../src/host/run-command.js';

// Everything happens in a network namespace of the test's own: the machine's rules are never touched.
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : ['/usr/sbin/iptables-nft-save', '/usr/sbin/iptables-legacy-save'].every((path) => existsSync(path))
      ? false
      : 'needs iptables-nft and iptables-legacy';

/** A network namespace that lives as long as the test, and a way to run programs in it. */
async function makeNamespace(t: Test): Promise<RunCommand> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => holder.kill('SIGKILL'));
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve);
    holder.once('error', reject);
    holder.once('exit', reject);
  });
  return async (file, args, options) => {
    if (!['/usr/sbin/', '/sbin/', '/usr/bin/', '/bin/'].some((folder) => existsSync(folder + file))) {
      return runCommand(file, args, options);
    }
    return runCommand('nsenter', ['--target', String(holder.pid), '--net', file, ...args], options);
  };
}

async function restore(run: RunCommand, program: string, input: string): Promise<void> {
  const result = await run(`${program}-restore`, ['--noflush'], { stdin: input });
  if (result.exitCode !== 0) throw new Error(`${program}: ${result.stderr}`);
}

async function save(run: RunCommand, program: string): Promise<string> {
  const { stdout } = await run(`${program}-save`, []);
  return stdout.replace(/^#.*\n?/gm, '').replace(/\[\d+:\d+\]/g, '[0:0]');
}

const foreign = `*filter
:INPUT ACCEPT [0:0]
:MINE - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
-A INPUT -s 203.0.113.0/24 -m comment --comment "keep \\"me\\" -j KUBE-FIREWALL" -j MINE
-A MINE -p tcp --dport 22 -j ACCEPT
-A KUBE-ROUTER-FORWARD -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp --dport 8080 -j REDIRECT --to-ports 80
COMMIT
`;

/** What kubelet and kube-proxy v1.20.2 write, shortened. */
const kube = (service: string) => `*mangle
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-PROXY-CANARY - [0:0]
COMMIT
*nat
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
:KUBE-SEP-FDHNDBH3PVJGMVHA - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SERVICES -d ${service} -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-NPX46M4PTMTKRN6Y -j KUBE-SEP-FDHNDBH3PVJGMVHA
-A KUBE-SEP-FDHNDBH3PVJGMVHA -j KUBE-MARK-MASQ
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
`;

const programs = ['iptables-nft', 'iptables-legacy', 'ip6tables-nft', 'ip6tables-legacy'] as const;

t.test('both flavours and families: ours goes, every foreign rule stays to the letter', { skip }, async (t) => {
  const run = await makeNamespace(t);
  const before: Record<string, string> = {};
  for (const program of programs) {
    const text = program.startsWith('ip6') ? foreign.replace('203.0.113.0/24', '2001:db8::/32') : foreign;
    await restore(run, program, text);
    before[program] = await save(run, program);
  }
  const existing = (await listChains(run)) ?? [];
  for (const program of programs)
    await restore(run, program, kube(program.startsWith('ip6') ? 'fd00::1/128' : '10.96.0.1/32'));
  t.equal((await listKubeChains(run))?.length, 4 * 13);

  const outcome = await removeKubeChains({ run, keep: existing });
  t.equal(outcome.removed.length, 4 * 13);
  t.same(outcome.kept, []);
  t.same(await listKubeChains(run), []);
  for (const program of programs) {
    const tables = await save(run, program);
    const emptyMangle = /\*mangle\n(?::\w+ ACCEPT \[0:0\]\n)+COMMIT\n/;
    t.equal(tables.replace(emptyMangle, ''), before[program], program);
    t.equal(
      emptyMangle.test(tables),
      outcome.emptyTables.some((name) => name === nameOf(program)),
      `${program}: empty table`,
    );
  }
  const again = await removeKubeChains({ run, keep: existing });
  t.same(again.removed, [], 'done twice, there is nothing to do');
});

function nameOf(program: string): string {
  return `${program.endsWith('nft') ? 'nft' : 'legacy'}/${program.startsWith('ip6') ? 'ipv6' : 'ipv4'}/mangle`;
}

t.test(
  'a rule of the user’s that jumps to a chain of ours stays, and so does the chain, empty',
  { skip },
  async (t) => {
    const run = await makeNamespace(t);
    for (const program of ['iptables-nft', 'iptables-legacy']) {
      await restore(
        run,
        program,
        `${foreign}${kube('10.96.0.1/32')}*filter\n-A MINE -s 198.51.100.7/32 -j KUBE-FIREWALL\nCOMMIT\n`,
      );
    }
    const { kept } = await removeKubeChains({ run, keep: [] });
    t.same(kept.map(({ chain }) => chain).sort(), [
      'legacy/ipv4/filter/KUBE-FIREWALL',
      'nft/ipv4/filter/KUBE-FIREWALL',
    ]);
    for (const program of ['iptables-nft', 'iptables-legacy']) {
      const text = await save(run, program);
      t.match(text, '-A MINE -s 198.51.100.7/32 -j KUBE-FIREWALL');
      t.notMatch(text, /-A KUBE-FIREWALL/);
      t.notMatch(text, /-A (?:INPUT|OUTPUT) -j KUBE-FIREWALL/);
    }
  },
);

t.test('chains of a cluster that was there before stay with their rules', { skip }, async (t) => {
  const run = await makeNamespace(t);
  await restore(
    run,
    'iptables-nft',
    '*nat\n:KUBE-MARK-DROP - [0:0]\n-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000\nCOMMIT\n',
  );
  const before = await save(run, 'iptables-nft');
  const existing = (await listChains(run)) ?? [];
  await restore(
    run,
    'iptables-nft',
    '*nat\n:KUBE-SERVICES - [0:0]\n-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\nCOMMIT\n',
  );
  t.same((await removeKubeChains({ run, keep: existing })).removed, ['nft/ipv4/nat/KUBE-SERVICES']);
  t.equal(await save(run, 'iptables-nft'), before);
});

t.test('two thousand rules go in one go, quickly', { skip }, async (t) => {
  const run = await makeNamespace(t);
  const services = Array.from({ length: 500 }, (_, index) => `KUBE-SVC-${String(index).padStart(16, 'A')}`);
  const lines = services.flatMap((chain, index) => [
    `-A KUBE-SERVICES -d 10.96.${index >> 8}.${index & 255}/32 -j ${chain}`,
    `-A ${chain} -j MARK --set-xmark 0x4000/0x4000`,
    `-A ${chain} -j ACCEPT`,
  ]);
  const input = [
    '*nat',
    ':KUBE-SERVICES - [0:0]',
    ...services.map((chain) => `:${chain} - [0:0]`),
    ...lines,
    'COMMIT',
    '',
  ];
  await restore(run, 'iptables-nft', input.join('\n'));
  const started = performance.now();
  t.equal((await removeKubeChains({ run, keep: [] })).removed.length, 501);
  const elapsedMs = performance.now() - started;
  t.comment(`${Math.round(elapsedMs)} ms`);
  t.ok(elapsedMs < 5000, 'within the time that an uninstall has');
});
