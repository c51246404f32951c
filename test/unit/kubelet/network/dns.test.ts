import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createDns, type DnsOptions } from '../../../../src/kubelet/network/dns.js';
import { fitSearches, parseResolvConf } from '../../../../src/kubelet/network/resolv-conf.js';

t.test('resolv.conf is read', async (t) => {
  const cases: [text: string, nameservers: string[], searches: string[], options: string[]][] = [
    ['', [], [], []],
    ['# nameserver 1.2.3.4', [], [], []],
    ['nameserver 1.2.3.4\n\nnameserver\tfd00::1 ', ['1.2.3.4', 'fd00::1'], [], []],
    ['search foo bar. .\n', [], ['foo', 'bar', '.'], []],
    ['search foo\nsearch bar', [], ['bar'], []],
    ['options ndots:5 attempts:2\noptions rotate', [], [], ['rotate']],
    ['nameserver', [], [], []],
  ];
  for (const [text, nameservers, searches, options] of cases) {
    t.same(parseResolvConf(text), { nameservers, searches, options }, JSON.stringify(text));
  }
});

t.test('searches are cut to what fits', async (t) => {
  const limits = { domains: 3, characters: 8 };
  t.same(fitSearches(['a', 'b', 'c', 'd'], limits), ['a', 'b', 'c']);
  t.same(fitSearches(['aaaa', 'bbb', 'c'], limits), ['aaaa', 'bbb']);
  t.same(fitSearches(['aaaaaaaaa'], limits), []);
});

async function setUp(t: Test, given: Partial<DnsOptions> = {}) {
  const hostRoot = t.testdir({ run: { 'real.conf': 'nameserver 9.9.9.9\nsearch corp.example\noptions rotate\n' } });
  await mkdir(join(hostRoot, 'etc'));
  // Absolute: it means the host's file, not this process's.
  await symlink('/run/real.conf', join(hostRoot, 'etc/resolv.conf'));
  const told: string[] = [];
  const dns = createDns({
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    resolvConfPath: '/etc/resolv.conf',
    hostRoot,
    events: {
      pod: (_pod, _type, reason, message) => told.push(`pod ${reason} ${message}`),
      node: (_type, reason) => told.push(`node ${reason}`),
    },
    ...given,
  });
  const make = (spec: Partial<NonNullable<V1Pod['spec']>>) =>
    dns.resolvConf({ metadata: { name: 'web', namespace: 'ns', uid: 'u' }, spec: { containers: [], ...spec } });
  return { make, told, hostRoot };
}

const host = 'nameserver 9.9.9.9\nsearch corp.example\noptions rotate\n';
const cluster =
  'nameserver 10.96.0.10\nsearch ns.svc.cluster.local svc.cluster.local cluster.local corp.example\noptions ndots:5\n';

t.test('every policy', async (t) => {
  const { make, told } = await setUp(t);
  const dnsConfig = {
    nameservers: ['1.1.1.1'],
    searches: ['my.dns.search', 'cluster.local'],
    options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
  };
  const cases: [name: string, spec: Partial<NonNullable<V1Pod['spec']>>, want: string][] = [
    ['none said', {}, cluster],
    ['cluster', { dnsPolicy: 'ClusterFirst' }, cluster],
    ["cluster on the host's network", { dnsPolicy: 'ClusterFirst', hostNetwork: true }, host],
    ["cluster in spite of the host's network", { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, cluster],
    ['default', { dnsPolicy: 'Default' }, host],
    ['none', { dnsPolicy: 'None' }, ''],
    [
      'none with its own',
      { dnsPolicy: 'None', dnsConfig },
      'nameserver 1.1.1.1\nsearch my.dns.search cluster.local\noptions ndots:2 edns0\n',
    ],
    [
      'cluster and its own',
      { dnsConfig },
      'nameserver 10.96.0.10\nnameserver 1.1.1.1\nsearch ns.svc.cluster.local svc.cluster.local cluster.local corp.example my.dns.search\noptions ndots:2 edns0\n',
    ],
  ];
  for (const [name, spec, want] of cases) t.equal(await make(spec), want, name);
  t.same(told, []);
});

t.test('limits are told', async (t) => {
  const { make, told } = await setUp(t);
  const text = await make({
    dnsConfig: { nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'], searches: ['a', 'b', 'c'] },
  });
  t.match(text, /^nameserver 10.96.0.10\nnameserver 1.1.1.1\nnameserver 2.2.2.2\nsearch \S+ \S+ \S+ \S+ a b\n/);
  t.match(told, [/^pod DNSConfigForming Nameserver limits/, /^pod DNSConfigForming Search Line limits .* a b$/]);
});

t.test('without a cluster DNS, without a file, with a file that is gone', async (t) => {
  const without = await setUp(t, { clusterDns: [] });
  t.equal(await without.make({}), host);
  t.match(without.told, [
    'node MissingClusterDNS',
    /^pod MissingClusterDNS pod: "web_ns\(u\)"\. kubelet does not have/,
  ]);
  const noFile = await setUp(t, { resolvConfPath: '', hostIps: ['192.0.2.1', 'fd00::1'] });
  t.equal(await noFile.make({ dnsPolicy: 'Default' }), 'nameserver 127.0.0.1\nnameserver ::1\nsearch .\n');
  const gone = await setUp(t, { resolvConfPath: '/etc/none' });
  await t.rejects(gone.make({}), { name: 'PodFailure', message: /open .etc.none/ });
  await writeFile(join(gone.hostRoot, 'etc/none'), '');
  t.equal(await gone.make({ dnsPolicy: 'Default' }), '');
});
