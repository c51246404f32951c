import t from 'tap';
import { isLoopbackHost, loopbackProxies, proxyFor } from '../../../src/registry/proxy-choice.js';

const both = { httpProxy: 'http://plain.proxy:3128', httpsProxy: 'http://secure.proxy:3128', noProxy: '' };

/** Whether a request goes through the proxy with that NO_PROXY; as httpproxy's own documentation has it. */
const cases: readonly (readonly [noProxy: string, url: string, proxied: boolean])[] = [
  ['', 'https://registry.k8s.io/', true],
  ['', 'https://localhost/', false],
  ['', 'https://LOCALHOST:5000/', false],
  ['', 'http://127.0.0.1:5000/', false],
  ['', 'http://127.9.8.7/', false],
  ['', 'http://[::1]:5000/', false],
  ['*', 'https://registry.k8s.io/', false],
  ['a, *', 'https://registry.k8s.io/', false],
  ['k8s.io', 'https://k8s.io/', false],
  ['k8s.io', 'https://registry.k8s.io/', false],
  ['K8S.IO', 'https://Registry.k8s.io/', false],
  ['k8s.io', 'https://notk8s.io/', true],
  ['.k8s.io', 'https://registry.k8s.io/', false],
  ['.k8s.io', 'https://k8s.io/', true],
  ['*.k8s.io', 'https://registry.k8s.io/', false],
  ['*.k8s.io', 'https://k8s.io/', true],
  ['registry.lan:5000', 'https://registry.lan:5000/', false],
  ['registry.lan:5000', 'https://registry.lan/', true],
  ['registry.lan:443', 'https://registry.lan/', false],
  ['registry.lan:80', 'http://registry.lan/', false],
  ['10.0.0.0/8', 'https://10.1.2.3/', false],
  ['10.0.0.0/8', 'https://11.1.2.3/', true],
  ['10.0.0.0/8', 'https://ten.example/', true],
  ['192.168.1.5', 'https://192.168.1.5:5000/', false],
  ['192.168.1.5:5000', 'https://192.168.1.5:5000/', false],
  ['192.168.1.5:5001', 'https://192.168.1.5:5000/', true],
  ['fd00::/8', 'https://[fd12::1]/', false],
  ['fd12:0::1', 'https://[fd12::1]/', false],
  ['[fd12::1]:5000', 'https://[fd12::1]:5000/', false],
  ['a.example ,  b.example', 'https://b.example/', false],
  [' , ,', 'https://b.example/', true],
  ['10.0.0.0/99', 'https://10.0.0.1/', true],
];

for (const [noProxy, url, proxied] of cases) {
  t.test(`NO_PROXY="${noProxy}" ${url}`, async (t) => {
    t.equal(proxyFor({ ...both, noProxy }, new URL(url)) !== undefined, proxied);
  });
}

t.test('each scheme has its own', async (t) => {
  t.equal(proxyFor(both, new URL('https://a.example'))?.host, 'secure.proxy:3128');
  t.equal(proxyFor(both, new URL('http://a.example'))?.host, 'plain.proxy:3128');
  t.equal(proxyFor({ ...both, httpsProxy: '' }, new URL('https://a.example')), undefined, 'no other stands in');
  t.equal(
    proxyFor({ ...both, httpsProxy: 'proxy.lan:8080' }, new URL('https://a.example'))?.href,
    'http://proxy.lan:8080/',
  );
});

t.test('a malformed proxy', async (t) => {
  for (const httpsProxy of ['http://', 'ftp://user:secret@proxy', 'http://user:secret@pro xy']) {
    const use = () => proxyFor({ ...both, httpsProxy }, new URL('https://a.example'));
    t.throws(use, { code: 'InvalidConfig', message: /^read proxy / });
    try {
      use();
    } catch (error) {
      t.notMatch(String(error), /secret/);
    }
  }
});

t.test('proxies that only this process reaches', async (t) => {
  const of = (httpProxy: string, httpsProxy: string) => loopbackProxies({ httpProxy, httpsProxy, noProxy: '' });
  t.strictSame(of('http://127.0.0.1:7890', 'http://127.0.0.1:7890'), ['127.0.0.1:7890']);
  t.strictSame(of('http://user:pw@localhost:1080', 'http://[::1]:1081'), ['localhost:1080', '[::1]:1081']);
  t.strictSame(of('http://10.0.0.1:7890', ''), []);
  t.strictSame(of('', 'nonsense://'), []);
  t.ok(isLoopbackHost('[::ffff:127.0.0.1]'));
  t.notOk(isLoopbackHost('127.example'));
});
