import t from 'tap';
import { ipvsLeftovers, listLinks, listRoutes, parseIpv4Routes, parseIpv6Routes } from '../../../src/host/links.js';
import { makeHost } from './support.js';

const v4 = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
tun0\t0101A8C0\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
`;
const zero = '0'.repeat(32);
const v6 = `fd00000000000000000000000000abcd 80 ${zero} 00 ${zero} 00000000 00000001 00000000 80200001     eth0
fd000000000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0
fe800000000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0
${zero} 00 ${zero} 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo
ff000000000000000000000000000000 08 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0
`;

t.test('IPv4 routes', async (t) => {
  t.same(parseIpv4Routes(v4), [
    { link: 'eth0', destination: '0.0.0.0/0', gateway: '192.0.2.1', metric: 100 },
    { link: 'docker0', destination: '172.17.0.0/16', gateway: undefined, metric: 0 },
    { link: 'tun0', destination: '10.0.0.0/8', gateway: undefined, metric: 0 },
    { link: 'tun0', destination: '192.168.1.1/32', gateway: undefined, metric: 0 },
  ]);
});

t.test('IPv6 routes, without those that the kernel makes for itself', async (t) => {
  t.same(parseIpv6Routes(v6), [
    { link: 'eth0', destination: 'fd00::/64', gateway: undefined, metric: 256 },
    { link: 'eth0', destination: '::/0', gateway: 'fd00::1', metric: 1024 },
  ]);
});

t.test('a machine without IPv6', async (t) => {
  const host = await makeHost(t, { '/proc/net/route': v4 });
  t.equal((await listRoutes(host)).length, 4);
});

t.test('links, and what ipvs leaves', async (t) => {
  const files = { '/sys/class/net/lo/mtu': '', '/sys/class/net/eth0/mtu': '', '/sys/class/net/bonding_masters': '' };
  const clean = await makeHost(t, files);
  t.same(await listLinks(clean), ['eth0', 'lo']);
  t.same(await ipvsLeftovers(clean), []);
  const left = await makeHost(t, {
    ...files,
    '/sys/class/net/kube-ipvs0/mtu': '',
    '/proc/net/ip_vs':
      'IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\nTCP  0A600001:01BB rr\n  -> C0000202:192B      Masq    1      0          0\nUDP  0A60000A:0035 rr\n',
  });
  t.same(await ipvsLeftovers(left), ['network link kube-ipvs0', '2 ipvs virtual servers']);
});
