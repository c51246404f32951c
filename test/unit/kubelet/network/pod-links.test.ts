import t from 'tap';
import { addressArguments, podAddresses, podLink } from '../../../../src/kubelet/network/pod-links.js';

t.test("an address's interfaces", async (t) => {
  t.same(podLink('172.17.255.254'), { address: '172.17.255.254', name: 'hupac11fffe', mac: '02:42:ac:11:ff:fe' });
  t.same(podLink('10.0.8.1'), { address: '10.0.8.1', name: 'hup0a000801', mac: '02:42:0a:00:08:01' });
});

t.test('addresses: the upper half, from its top, and round again', async (t) => {
  const next = podAddresses('172.17.0.0/16');
  t.same([next?.(), next?.()], ['172.17.255.254', '172.17.255.253']);
  const small = podAddresses('10.0.0.0/22');
  const seen = Array.from({ length: 511 }, () => small?.() ?? '');
  t.equal(new Set(seen).size, 511);
  t.equal(seen.at(-1), '10.0.2.0');
  t.equal(small?.(), '10.0.3.254');
});

t.test('ranges that are not shared', async (t) => {
  for (const subnet of ['192.168.5.0/24', '10.0.0.0/23', 'fd00::/64']) t.equal(podAddresses(subnet), undefined, subnet);
});

t.test('arguments for ip(8)', async (t) => {
  t.equal(addressArguments('172.17.255.254', '172.17.0.0/16'), '172.17.255.254/16 brd 172.17.255.255');
  t.equal(addressArguments('10.1.3.9', '10.1.0.1/22'), '10.1.3.9/22 brd 10.1.3.255');
});
