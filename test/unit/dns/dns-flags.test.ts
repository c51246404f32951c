import t from 'tap';
import { systemClock } from '../../../src/base/clock.js';
import { readApiAccess } from '../../../src/dns/cluster/api-access.js';
import { dnsHelp, parseDnsFlags } from '../../../src/dns/dns-flags.js';

t.test('without flags it is what a pod of the cluster needs', async (t) => {
  t.strictSame(parseDnsFlags([]), {
    kubeconfig: undefined,
    clusterDomain: 'cluster.local',
    listen: [{ address: '0.0.0.0', port: 53 }],
    upstreams: [],
    resolvConf: ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'],
    nsService: { namespace: 'kube-system', name: 'kube-dns' },
    httpAddress: '0.0.0.0',
    healthPort: 8080,
    readyPort: 8181,
    metricsPort: 9153,
    cacheSize: 10_000,
    serveStaleSeconds: 3600,
    lameduckMs: 0,
  });
});

t.test('every flag', async (t) => {
  const options = parseDnsFlags([
    '--kubeconfig=/k',
    '--cluster-domain=Example.Internal.',
    '--listen=127.0.0.1:5353,[::1]:53',
    '--upstream=192.0.2.1',
    '--upstream',
    '192.0.2.2:5353,2001:db8::1,[2001:db8::2]:54',
    '--resolv-conf=/r',
    '--ns-service=a/b',
    '--http-address=127.0.0.1',
    '--health-port=0',
    '--ready-port=1',
    '--metrics-port=2',
    '--cache=0',
    '--serve-stale=10m',
    '--lameduck=5s',
  ]);
  t.strictSame(options, {
    kubeconfig: '/k',
    clusterDomain: 'example.internal',
    listen: [
      { address: '127.0.0.1', port: 5353 },
      { address: '::1', port: 53 },
    ],
    upstreams: [
      { address: '192.0.2.1', port: 53 },
      { address: '192.0.2.2', port: 5353 },
      { address: '2001:db8::1', port: 53 },
      { address: '2001:db8::2', port: 54 },
    ],
    resolvConf: ['/r'],
    nsService: { namespace: 'a', name: 'b' },
    httpAddress: '127.0.0.1',
    healthPort: 0,
    readyPort: 1,
    metricsPort: 2,
    cacheSize: 0,
    serveStaleSeconds: 600,
    lameduckMs: 5000,
  });
});

t.test('all faults at once', async (t) => {
  const argv = [
    '--listen=53',
    '--upstream=dns.example.com',
    '--health-port=70000',
    '--serve-stale=1',
    '--cluster-domain=a..b',
  ];
  t.throws(() => parseDnsFlags(argv), {
    code: 'Usage',
    message: /--listen: got "53".*--upstream.*--health-port/s,
  });
  t.throws(() => parseDnsFlags(argv), { message: /--serve-stale.*/ });
  t.throws(() => parseDnsFlags(argv), { message: /--cluster-domain/ });
  t.throws(() => parseDnsFlags(['--nope']), { code: 'Usage', message: /--nope/ });
  t.match(dnsHelp(), /--ready-port=….*8181/);
});

t.test('as a pod reaches the API server', async (t) => {
  const folder = t.testdir({ 'ca.crt': 'the CA', token: 'the token\n' });
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
  const access = await readApiAccess({ kubeconfig: undefined, env, clock: systemClock, folder });
  t.match(access, { server: 'https://[fd00::1]:6443', caPem: 'the CA' });
  t.equal(typeof access.token === 'function' ? await access.token() : '', 'the token');
  const call = (changes: object) =>
    readApiAccess({ kubeconfig: undefined, env, clock: systemClock, folder, ...changes });
  await t.rejects(call({ env: {} }), { code: 'InvalidConfig' });
  await t.rejects(call({ folder: t.testdir({}) }), { code: 'NotFound' });
});
