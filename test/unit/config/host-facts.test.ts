import t from 'tap';
import {
  chooseNodeAddress,
  defaultRouteInterface,
  localAddresses,
  readHostFacts,
} from '../../../src/config/host-facts.js';

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = (name: string, destination: string, flags: string, metric: number, mask: string) =>
  `${name}\t${destination}\t010200C0\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0  \n`;
const trie =
  'Local:\n  +-- 127.0.0.0/8 2 0 2\n        |-- 127.0.0.1\n           /32 host LOCAL\n        |-- 127.255.255.255\n           /32 link BROADCAST\n     |-- 172.17.0.1\n        /32 host LOCAL\n     |-- 172.17.255.255\n        /32 link BROADCAST\n';

t.test('the default route with the lowest metric wins', async (t) => {
  const eth1 = route('eth1', '00000000', '0003', 100, '00000000');
  const eth0 = route('eth0', '00000000', '0003', 600, '00000000');
  const lan = route('eth2', '0002A8C0', '0001', 0, '00FFFFFF');
  const half = route('tun0', '00000000', '0001', 0, '00000080');
  const down = route('eth3', '00000000', '0002', 0, '00000000');
  t.equal(defaultRouteInterface(head + lan + half + down + eth0 + eth1), 'eth1');
  t.equal(defaultRouteInterface(head + lan + half + down), undefined);
  t.equal(defaultRouteInterface(''), undefined);
});

t.test('the node address', async (t) => {
  const lo = { interfaceName: 'lo', address: '127.0.0.1' };
  const extra = { interfaceName: 'lo', address: '192.168.255.1' };
  const docker = { interfaceName: 'docker0', address: '172.17.0.1' };
  const lan = { interfaceName: 'eth0', address: '192.0.2.7' };
  const other = { interfaceName: 'eth1', address: '192.0.2.8' };
  const toEth1 = head + route('eth1', '00000000', '0003', 0, '00000000');
  const cases = [
    {
      name: "the default route's interface",
      routes: toEth1,
      addresses: [lo, docker, lan, other],
      trie: '',
      want: '192.0.2.8',
    },
    {
      name: 'no route: a real interface before a bridge',
      routes: head,
      addresses: [lo, docker, lan],
      trie: '',
      want: '192.0.2.7',
    },
    { name: 'no route: a bridge', routes: head, addresses: [lo, docker], trie: '', want: '172.17.0.1' },
    { name: "an address of one's own on lo", routes: head, addresses: [lo, extra], trie: '', want: '192.168.255.1' },
    { name: 'a bridge that is down', routes: head, addresses: [lo], trie, want: '172.17.0.1' },
    { name: 'nothing but loopback', routes: '', addresses: [lo], trie: '', want: undefined },
  ];
  for (const { name, routes, addresses, trie, want } of cases)
    t.equal(chooseNodeAddress(routes, addresses, trie), want, name);
});

t.test('local addresses of fib_trie', async (t) => {
  t.strictSame(localAddresses(trie), ['127.0.0.1', '172.17.0.1']);
});

t.test('the facts of this host', async (t) => {
  const facts = readHostFacts({});
  t.ok(facts.hostname.length > 0);
  t.match(facts.homeDir, /^\//);
  t.equal(facts.sudoUser, undefined);
  t.equal(readHostFacts({ SUDO_USER: 'root' }).sudoUser, undefined, 'root who calls sudo is no other user');
});
