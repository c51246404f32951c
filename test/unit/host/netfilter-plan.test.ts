import t from 'tap';
import { parseIptablesSave } from '../../../src/host/iptables-save.js';
import { isKubeChain, planKubeRemoval } from '../../../src/host/netfilter-plan.js';

const plan = (text: string, keep: readonly string[] = []) => {
  const [table] = parseIptablesSave(text, { family: 'ipv4', flavour: 'nft', program: 'iptables-nft' });
  if (!table) throw new Error('no table');
  return planKubeRemoval(table, new Set(keep));
};

t.test("names: the components' own, and nothing else that begins alike", async (t) => {
  const ours = [
    'KUBE-SERVICES',
    'KUBE-MARK-DROP',
    'KUBE-KUBELET-CANARY',
    'KUBE-SVC-NPX46M4PTMTKRN6Y',
    'KUBE-SEP-XZ7',
    'KUBE-XLB-A2',
    'KUBE-FW-Q',
    'KUBE-HP-Z',
  ];
  const foreign = [
    'KUBE-ROUTER-INPUT',
    'KUBE-NWPLCY-X',
    'KUBE-SVC-',
    'KUBE',
    'KUBE-MINE',
    'kube-services',
    'XKUBE-SERVICES',
    'KUBE-SVC-abc',
  ];
  for (const name of ours) t.ok(isKubeChain(name), name);
  for (const name of foreign) t.notOk(isKubeChain(name), name);
});

t.test('chains that jump to one another go in one transaction, our jumps before them', async (t) => {
  const { lines, removed, held } = plan(`*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-ABC - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC-ABC
-A KUBE-SVC-ABC -j KUBE-SERVICES
COMMIT
`);
  t.strictSame(lines, [
    ':KUBE-SERVICES - [0:0]',
    ':KUBE-SVC-ABC - [0:0]',
    '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-D OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-X KUBE-SERVICES',
    '-X KUBE-SVC-ABC',
  ]);
  t.same(removed, ['KUBE-SERVICES', 'KUBE-SVC-ABC']);
  t.same(held, []);
});

t.test('which jumps are ours', async (t) => {
  const cases = [
    { name: 'bare, from a built-in chain (kubelet)', rule: '-A INPUT -j KUBE-FIREWALL', ours: true },
    {
      name: 'with our comment',
      rule: '-A INPUT -m comment --comment "kubernetes forwarding rules" -j KUBE-FIREWALL',
      ours: true,
    },
    {
      name: 'hostPort’s comment',
      rule: '-A INPUT -m comment --comment "kube hostport portals" -m addrtype --dst-type LOCAL -j KUBE-FIREWALL',
      ours: true,
    },
    { name: 'with a match and no comment', rule: '-A INPUT -s 10.0.0.0/8 -j KUBE-FIREWALL', ours: false },
    {
      name: 'with a comment of the user’s',
      rule: '-A INPUT -m comment --comment "my own kubernetes rule" -j KUBE-FIREWALL',
      ours: false,
    },
    { name: 'from a chain of the user’s', rule: '-A MINE -j KUBE-FIREWALL', ours: false },
    { name: 'by goto', rule: '-A INPUT -g KUBE-FIREWALL', ours: false },
  ];
  for (const { name, rule, ours } of cases) {
    const { lines, removed, held } = plan(
      `*filter\n:INPUT ACCEPT [0:0]\n:MINE - [0:0]\n:KUBE-FIREWALL - [0:0]\n${rule}\n-A KUBE-FIREWALL -j DROP\nCOMMIT\n`,
    );
    t.same(removed, ours ? ['KUBE-FIREWALL'] : [], name);
    t.same(held, ours ? [] : [{ chain: 'KUBE-FIREWALL', rule }], `${name}: held`);
    t.equal(lines.includes(`-D${rule.slice(2)}`), ours, `${name}: the rule`);
    t.ok(lines.includes(':KUBE-FIREWALL - [0:0]'), `${name}: emptied either way`);
  }
});

t.test('a chain that is held and empty already is no more work', async (t) => {
  const { lines, held } = plan(
    '*filter\n:INPUT ACCEPT [0:0]\n:MINE - [0:0]\n:KUBE-FIREWALL - [0:0]\n-A MINE -j KUBE-FIREWALL\nCOMMIT\n',
  );
  t.same(lines, []);
  t.equal(held.length, 1);
});

t.test('chains that were there before stay, with their rules and the jumps to them', async (t) => {
  const text = `*nat
:OUTPUT ACCEPT [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-SERVICES - [0:0]
-A OUTPUT -j KUBE-MARK-DROP
-A OUTPUT -j KUBE-SERVICES
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
COMMIT
`;
  t.same(plan(text, ['nft/ipv4/nat/KUBE-MARK-DROP']).lines, [
    ':KUBE-SERVICES - [0:0]',
    '-D OUTPUT -j KUBE-SERVICES',
    '-X KUBE-SERVICES',
  ]);
  const elsewhere = ['legacy/ipv4/nat/KUBE-MARK-DROP', 'nft/ipv6/nat/KUBE-MARK-DROP', 'nft/ipv4/filter/KUBE-MARK-DROP'];
  t.equal(plan(text, elsewhere).removed.length, 2, 'one of the same name elsewhere protects nothing here');
});

t.test('the same jump twice is deleted twice', async (t) => {
  const { lines } = plan(
    '*nat\n:OUTPUT ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A OUTPUT -j KUBE-SERVICES\n-A OUTPUT -j KUBE-SERVICES\nCOMMIT\n',
  );
  t.equal(lines.filter((line) => line === '-D OUTPUT -j KUBE-SERVICES').length, 2);
});
