import t from 'tap';
import { parseResolvConf, readResolver } from '../../../src/preflight/read-resolver.js';
import { makeHost } from '../host/support.js';

t.test('resolv.conf(5)', async (t) => {
  const text =
    '# nameserver 9.9.9.9\nnameserver 192.0.2.1 # the first\n\tnameserver\t2001:db8::1\nnameserver\nsearch a b\nsearch c d ; e\noptions ndots:5\n';
  t.same(parseResolvConf(text), { nameservers: ['192.0.2.1', '2001:db8::1'], searches: ['c', 'd'] });
  t.same(parseResolvConf('domain x\n'), { nameservers: [], searches: ['x'] });
  t.same(parseResolvConf(''), { nameservers: [], searches: [] });
});

const resolved = '/run/systemd/resolve/resolv.conf';

t.test('the file for pods', async (t) => {
  const cases = [
    {
      name: 'plain',
      files: { '/etc/resolv.conf': 'nameserver 192.0.2.1\n', [resolved]: 'nameserver 192.0.2.2\n' },
      chosen: '/etc/resolv.conf',
      servers: ['192.0.2.1'],
    },
    {
      name: 'systemd-resolved',
      files: { '/etc/resolv.conf': 'nameserver 127.0.0.53\n', [resolved]: 'nameserver 192.0.2.2\n' },
      chosen: resolved,
      servers: ['192.0.2.2'],
    },
    {
      name: 'one loopback address among others',
      files: { '/etc/resolv.conf': 'nameserver 192.0.2.1\nnameserver ::1\n', [resolved]: 'nameserver 192.0.2.2\n' },
      chosen: resolved,
      servers: ['192.0.2.2'],
    },
    {
      name: 'NetworkManager with dnsmasq',
      files: {
        '/etc/resolv.conf': 'nameserver 127.0.0.1\n',
        '/run/NetworkManager/no-stub-resolv.conf': 'nameserver 192.0.2.3\n',
      },
      chosen: '/run/NetworkManager/no-stub-resolv.conf',
      servers: ['192.0.2.3'],
    },
    {
      name: 'no better one',
      files: { '/etc/resolv.conf': 'nameserver 127.0.0.1\n', [resolved]: 'nameserver 127.0.0.53\n' },
      chosen: '/etc/resolv.conf',
      servers: ['127.0.0.1'],
    },
    { name: 'nothing at all', files: {}, chosen: '/etc/resolv.conf', servers: [] },
    { name: 'no own file', files: { [resolved]: 'nameserver 192.0.2.2\n' }, chosen: resolved, servers: ['192.0.2.2'] },
  ];
  for (const { name, files, chosen, servers } of cases) {
    const found = await readResolver(await makeHost(t, files));
    t.same([found.chosen, found.chosenNameservers], [chosen, servers], name);
    t.equal(found.nameservers === undefined, !('/etc/resolv.conf' in files), `${name}: its own file`);
  }
});
