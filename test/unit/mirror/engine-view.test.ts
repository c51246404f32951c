import t from 'tap';
import { type EngineNetwork, imageArchitecture, isFinal, isInsecure } from '../../../src/mirror/engine-view.js';
import { type ProbeFailureKind, probeFailure } from '../../../src/mirror/probe-failure.js';

const local: EngineNetwork = {
  endpoint: 'unix:///var/run/docker.sock',
  architecture: 'x86_64',
  operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  rootless: false,
  httpProxy: '',
  httpsProxy: '',
  noProxy: '',
  registryMirrors: [],
  insecureRegistries: ['127.0.0.0/8'],
};
const proxied: EngineNetwork = {
  ...local,
  httpsProxy: 'http://proxy.example:3128',
  noProxy: 'localhost, .corp.example,registry.example:5000,10.0.0.0/8',
};
const tcp: EngineNetwork = { ...local, endpoint: 'tcp://10.0.0.9:2376' };

t.test('when the engine would fail as the probe did', async (t) => {
  const cases: readonly {
    readonly name: string;
    readonly kind: ProbeFailureKind;
    readonly host: string;
    readonly engine: EngineNetwork | undefined;
    readonly want: boolean;
  }[] = [
    { name: 'no answer', kind: 'timeout', host: 'm.example', engine: local, want: true },
    { name: 'no answer, engine unknown', kind: 'timeout', host: 'm.example', engine: undefined, want: true },
    { name: 'no answer, but the engine has a proxy', kind: 'timeout', host: 'm.example', engine: proxied, want: false },
    { name: 'proxy bypassed by domain', kind: 'timeout', host: 'a.corp.example', engine: proxied, want: true },
    {
      name: 'proxy bypassed by host and port',
      kind: 'timeout',
      host: 'registry.example:5000',
      engine: proxied,
      want: true,
    },
    { name: 'proxy bypassed by range', kind: 'timeout', host: '10.1.2.3:5000', engine: proxied, want: true },
    { name: 'another range', kind: 'timeout', host: '11.1.2.3:5000', engine: proxied, want: false },
    { name: 'a domain that only ends alike', kind: 'timeout', host: 'a.notcorp.example', engine: proxied, want: false },
    {
      name: 'everything bypasses',
      kind: 'status',
      host: 'm.example',
      engine: { ...proxied, noProxy: '*' },
      want: true,
    },
    { name: 'loopback needs no proxy', kind: 'refused', host: '127.0.0.1:5000', engine: proxied, want: true },
    { name: 'an engine elsewhere', kind: 'status', host: 'm.example', engine: tcp, want: false },
    {
      name: "loopback of an engine elsewhere isn't ours",
      kind: 'refused',
      host: '127.0.0.1:5000',
      engine: tcp,
      want: false,
    },
    { name: 'rootless', kind: 'timeout', host: 'm.example', engine: { ...local, rootless: true }, want: false },
    {
      name: 'a virtual machine',
      kind: 'timeout',
      host: 'm.example',
      engine: { ...local, operatingSystem: 'Docker Desktop' },
      want: false,
    },
    {
      name: 'Docker Hub with mirrors',
      kind: 'timeout',
      host: 'docker.io',
      engine: { ...local, registryMirrors: ['https://m.example'] },
      want: false,
    },
    {
      name: 'another registry with mirrors',
      kind: 'timeout',
      host: 'quay.io',
      engine: { ...local, registryMirrors: ['https://m.example'] },
      want: true,
    },
    { name: 'a name that never resolves', kind: 'dns', host: 'm.invalid:5000', engine: proxied, want: true },
    { name: 'a name that does not resolve here', kind: 'dns', host: 'm.example', engine: local, want: false },
    { name: 'refused', kind: 'refused', host: 'm.example', engine: local, want: false },
    { name: 'refused on loopback', kind: 'refused', host: 'localhost:5000', engine: local, want: true },
    { name: 'refused on IPv6 loopback', kind: 'refused', host: '[::1]:5000', engine: local, want: true },
    { name: 'unreachable', kind: 'unreachable', host: 'm.example', engine: local, want: false },
    { name: 'the engine may trust other certificates', kind: 'tls', host: 'm.example', engine: local, want: false },
    { name: 'our proxy is not its proxy', kind: 'proxy', host: 'm.example', engine: local, want: false },
    { name: 'not there', kind: 'notFound', host: 'm.example', engine: local, want: true },
    {
      name: 'not there, but a proxy sees otherwise',
      kind: 'notFound',
      host: 'm.example',
      engine: proxied,
      want: false,
    },
    { name: 'a login', kind: 'login', host: 'm.example', engine: local, want: true },
    { name: 'a web page', kind: 'notRegistry', host: 'm.example', engine: local, want: true },
    { name: 'other platforms only', kind: 'platform', host: 'm.example', engine: local, want: true },
    { name: 'a lying registry is never used', kind: 'digest', host: 'm.example', engine: proxied, want: true },
  ];
  for (const { name, kind, host, engine, want } of cases) {
    t.equal(isFinal(probeFailure(kind, ''), host, engine), want, name);
  }
});

t.test('which registries may be plain HTTP', async (t) => {
  const engine = { ...local, insecureRegistries: ['127.0.0.0/8', 'reg.example:5000', 'any.example', '192.168.0.0/16'] };
  const cases: readonly [string, boolean][] = [
    ['127.0.0.1:5000', true],
    ['127.8.9.1', true],
    ['localhost:5000', true],
    ['reg.example:5000', true],
    ['reg.example', false],
    ['reg.example:5001', false],
    ['any.example:443', true],
    ['192.168.3.4:5000', true],
    ['192.169.3.4:5000', false],
    ['m.example', false],
  ];
  for (const [host, want] of cases) t.equal(isInsecure(engine, host), want, host);
  t.equal(isInsecure(undefined, '127.0.0.1:1'), true);
  t.equal(isInsecure(undefined, 'm.example'), false);
});

t.test("the engine's architecture as images name it", async (t) => {
  const cases = { x86_64: 'amd64', aarch64: 'arm64', armv7l: 'arm', i686: '386', s390x: 's390x', amd64: 'amd64' };
  for (const [given, want] of Object.entries(cases)) t.equal(imageArchitecture(given), want);
});
