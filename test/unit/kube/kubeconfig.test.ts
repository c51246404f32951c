import t from 'tap';
import { buildKubeconfig, formatKubeconfig, parseKubeconfig } from '../../../src/kube/kubeconfig.js';
import { readClientOptions } from '../../../src/kube/kubeconfig-client.js';

const options = {
  name: 'hyperup',
  server: 'https://192.0.2.10:6443',
  caPem: 'CA PEM',
  clientCertPem: 'CERT PEM',
  clientKeyPem: 'KEY PEM',
};
const base64 = (text: string) => Buffer.from(text).toString('base64');

t.test('built, written, read', async (t) => {
  const config = buildKubeconfig({ ...options, namespace: 'dev' });
  t.equal(
    formatKubeconfig(config),
    `apiVersion: v1
kind: Config
clusters:
- name: hyperup
  cluster:
    server: https://192.0.2.10:6443
    certificate-authority-data: ${base64('CA PEM')}
users:
- name: hyperup
  user:
    client-certificate-data: ${base64('CERT PEM')}
    client-key-data: ${base64('KEY PEM')}
contexts:
- name: hyperup
  context:
    cluster: hyperup
    user: hyperup
    namespace: dev
current-context: hyperup
`,
  );
  t.strictSame(parseKubeconfig(formatKubeconfig(config), 'x'), config);
  const withToken = buildKubeconfig({ name: 'a', server: 's', caPem: '', token: 'abc' });
  t.strictSame(withToken.users, [{ name: 'a', user: { token: 'abc' } }]);
});

t.test('values come back as kubectl would read them', async (t) => {
  const cases: [yaml: string, want: unknown, written: string][] = [
    ['yes', true, 'true'],
    ['Off', false, 'false'],
    ['"yes"', 'yes', "'yes'"],
    ['2020-01-01', '2020-01-01', "'2020-01-01'"],
    ['2020-01-01T00:00:00Z', '2020-01-01T00:00:00Z', "'2020-01-01T00:00:00Z'"],
    ['"1"', '1', "'1'"],
    ['007', 7, '7'],
    ['~', null, 'null'],
    ['"null"', 'null', "'null'"],
    ['[a, {b: c}]', ['a', { b: 'c' }], '\n- a\n- b: c'],
  ];
  for (const [yaml, want, written] of cases) {
    const config = parseKubeconfig(`extra: ${yaml}\n`, 'x');
    t.strictSame(config, { extra: want }, yaml);
    t.equal(formatKubeconfig(config), `extra:${written.startsWith('\n') ? '' : ' '}${written}\n`, yaml);
  }
  const anchored = parseKubeconfig('a: &x {k: v}\nb: *x\nc: {<<: *x, l: m}\n', 'x');
  t.strictSame(parseKubeconfig(formatKubeconfig(anchored), 'x'), {
    a: { k: 'v' },
    b: { k: 'v' },
    c: { k: 'v', l: 'm' },
  });
});

t.test('what is no kubeconfig, and what is an empty one', async (t) => {
  for (const text of ['', '\n', '# nothing\n', '{}', 'clusters: null\nusers: []\n', '{"kind": "Config"}']) {
    t.doesNotThrow(() => parseKubeconfig(text, 'x'), JSON.stringify(text));
  }
  const cases: [text: string, message: RegExp][] = [
    ['clusters: [', /^read kubeconfig \/a\/b: unexpected end of the stream/],
    ['just text', /it is not a mapping/],
    ['- a\n- b', /it is not a mapping/],
    ['a: 1\n---\nb: 2', /single document/],
    ['a: 1\na: 2', /duplicated mapping key/],
    ['kind: Pod', /kind is "Pod", want Config/],
    ['clusters: {a: b}', /clusters is not a list/],
    ['users:\n- user: {}', /users\[0\] has no name/],
    ['contexts:\n- name: a', /contexts\[0\] \(a\) has no context/],
    ['current-context: [a]', /current-context is not text/],
    ['kind: Pod\nclusters: 1\nusers: [1]', /kind is.*; clusters is not a list; users\[0\] has no name/],
  ];
  for (const [text, message] of cases) {
    t.throws(() => parseKubeconfig(text, '/a/b'), { code: 'InvalidConfig', message, hint: /--kubeconfig/ }, text);
  }
});

t.test('what a client of it needs', async (t) => {
  const dir = t.testdir({
    embedded: formatKubeconfig(buildKubeconfig(options)),
    files: `clusters:
- name: c
  cluster: {server: 'https://a', certificate-authority: pki/ca.crt, tls-server-name: kubernetes}
users:
- name: u
  user: {client-certificate: pki/u.crt, client-key: pki/u.key, tokenFile: pki/token}
contexts:
- name: one
  context: {cluster: c, user: u}
- name: dangling
  context: {cluster: c, user: nobody}
`,
    pki: { 'ca.crt': 'CA', 'u.crt': 'CERT', 'u.key': 'KEY', token: 'abc\n' },
  });
  t.match(await readClientOptions(`${dir}/embedded`), {
    server: 'https://192.0.2.10:6443',
    caPem: 'CA PEM',
    clientCertPem: 'CERT PEM',
    clientKeyPem: 'KEY PEM',
    token: undefined,
  });
  t.strictSame(await readClientOptions(`${dir}/files`, 'one'), {
    server: 'https://a',
    caPem: 'CA',
    clientCertPem: 'CERT',
    clientKeyPem: 'KEY',
    token: 'abc',
    serverName: 'kubernetes',
  });
  const missing: [path: string, context: string | undefined, message: RegExp][] = [
    ['absent', undefined, /it does not exist/],
    ['files', undefined, /there is no current-context/],
    ['files', 'two', /there is no context two/],
    ['files', 'dangling', /there is no user nobody/],
  ];
  for (const [path, context, message] of missing) {
    await t.rejects(readClientOptions(`${dir}/${path}`, context), { code: 'NotFound', message }, String(message));
  }
});
