import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { eventuallySee } from '../e2e/support/eventually.js';
import { makeFakeCertificates } from '../fakes/fake-api-server-certs.js';
import {
  type ForegroundKubelet,
  importShell,
  shellImage,
  startForegroundKubelet,
  staticPod,
} from './foreground-kubelet.js';

t.setTimeout(600_000);

const host = 'unix:///var/run/docker.sock';
/** The engine's images and the machine's pods are not this kubelet's to remove, however full the disk is. */
const harmless = ['--image-gc-high-threshold=100', '--eviction-hard=memory.available<1Mi'];
await importShell(t, host);

const container = { name: 'main', image: shellImage, imagePullPolicy: 'Never' };
/** A good pod but for what is given. */
const pod = (name: string, { metadata = {}, spec = {} }: { metadata?: unknown; spec?: unknown } = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...(metadata as object) },
    spec: { containers: [container], ...(spec as object) },
  });
const withContainer = (name: string, more: Record<string, unknown>, spec: Record<string, unknown> = {}) =>
  pod(name, { spec: { containers: [{ ...container, ...more }], ...spec } });
const volume = (name: string, source: unknown, mount: Record<string, unknown> = {}) =>
  withContainer(
    name,
    { volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] },
    { volumes: [{ name: 'v', ...(source as object) }] },
  );

interface BadManifest {
  readonly name: string;
  readonly text: string | Buffer;
  /** In the one line that the log has on it. */
  readonly says: RegExp;
}

const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
  .split('')
  .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghij'[index]}`).join()}]`)
  .join('\n')}\n`;

const badManifests: readonly BadManifest[] = [
  { name: 'empty', text: '', says: /./ },
  { name: 'truncated', text: pod('truncated').slice(0, -20), says: /neither YAML nor JSON/ },
  { name: 'not-yaml', text: 'kind: [', says: /neither YAML nor JSON/ },
  { name: 'binary', text: Buffer.from([0, 1, 2, 255, 254, 0, 10, 200]), says: /./ },
  { name: 'a-text', text: 'hello', says: /./ },
  { name: 'a-list', text: '- apiVersion: v1\n- kind: Pod\n', says: /./ },
  { name: 'two-documents', text: `${pod('one')}\n---\n${pod('two')}\n`, says: /./ },
  { name: 'wrong-kind', text: 'apiVersion: apps/v1\nkind: Deployment\n', says: /kind: want Pod/ },
  { name: 'huge', text: `# ${'x'.repeat(5_000_000)}\n${pod('huge')}`, says: /bytes, want at most/ },
  { name: 'bomb', text: `${bomb}${pod('bomb')}`, says: /./ },
  { name: 'bomb-that-parses', text: `apiVersion: v1\nkind: Pod\n${bomb}`, says: /./ },
  { name: 'deep', text: `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, says: /./ },
  { name: 'name-with-dots', text: pod('../../../tmp/evil'), says: /metadata\.name/ },
  { name: 'namespace', text: pod('n', { metadata: { namespace: '../kube-system' } }), says: /metadata\.namespace/ },
  { name: 'uid', text: pod('u', { metadata: { uid: '../../etc' } }), says: /metadata\.uid/ },
  { name: 'no-containers', text: pod('none', { spec: { containers: [] } }), says: /spec\.containers/ },
  { name: 'host-path', text: volume('hp', { hostPath: { path: '/tmp/../etc' } }), says: /hostPath\.path/ },
  { name: 'sub-path', text: volume('sp', { emptyDir: {} }, { subPath: '../../x' }), says: /subPath/ },
  { name: 'sub-path-absolute', text: volume('spa', { emptyDir: {} }, { subPath: '/etc' }), says: /subPath/ },
  {
    name: 'config-map-key',
    text: volume('cm', { configMap: { name: 'x', items: [{ key: 'k', path: '../p' }] } }),
    says: /volumes\[0\]/,
  },
  { name: 'image', text: withContainer('img', { image: ' a b ' }), says: /image/ },
  { name: 'no-image', text: withContainer('noimg', { image: 7 }), says: /image/ },
  { name: 'command', text: withContainer('cmd', { command: 'sh -c true' }), says: /command/ },
  { name: 'env', text: withContainer('env', { env: 'A=b' }), says: /env/ },
  { name: 'port', text: withContainer('port', { ports: [{ containerPort: 70_000 }] }), says: /containerPort/ },
  { name: 'cpu', text: withContainer('cpu', { resources: { requests: { cpu: 'banana' } } }), says: /resources/ },
  {
    name: 'grace',
    text: pod('grace', { spec: { containers: [container], terminationGracePeriodSeconds: 'soon' } }),
    says: /terminationGrace/,
  },
  {
    name: 'tolerations',
    text: pod('tol', { spec: { containers: [container], tolerations: 'x' } }),
    says: /tolerations/,
  },
  {
    name: 'toleration',
    text: pod('tol1', { spec: { containers: [container], tolerations: [7] } }),
    says: /tolerations/,
  },
  { name: 'affinity', text: pod('aff', { spec: { containers: [container], affinity: 7 } }), says: /affinity/ },
  {
    name: 'selector',
    text: pod('sel', { spec: { containers: [container], nodeSelector: ['a'] } }),
    says: /nodeSelector/,
  },
  {
    name: 'host-network',
    text: pod('hn', { spec: { containers: [container], hostNetwork: 'yes' } }),
    says: /hostNetwork/,
  },
  { name: 'aliases', text: pod('al', { spec: { containers: [container], hostAliases: 'x' } }), says: /hostAliases/ },
  {
    name: 'dns',
    text: pod('dns', { spec: { containers: [container], dnsConfig: { nameservers: 5 } } }),
    says: /dnsConfig/,
  },
  {
    name: 'security',
    text: pod('sc', { spec: { containers: [container], securityContext: { sysctls: 'x' } } }),
    says: /securityContext/,
  },
  {
    name: 'run-as-user',
    text: withContainer('rau', { securityContext: { runAsUser: 'root' } }),
    says: /securityContext/,
  },
  {
    name: 'capabilities',
    text: withContainer('cap', { securityContext: { capabilities: { add: 'ALL' } } }),
    says: /securityContext/,
  },
  {
    name: 'probe',
    text: withContainer('probe', { livenessProbe: { exec: { command: 'true' } } }),
    says: /livenessProbe/,
  },
  {
    name: 'probe-port',
    text: withContainer('pp', { readinessProbe: { tcpSocket: { port: {} } } }),
    says: /readinessProbe/,
  },
  {
    name: 'probe-period',
    text: withContainer('per', { livenessProbe: { exec: { command: ['true'] }, periodSeconds: 'x' } }),
    says: /livenessProbe/,
  },
  { name: 'hook', text: withContainer('hook', { lifecycle: { preStop: { exec: 'x' } } }), says: /lifecycle/ },
  { name: 'size-limit', text: volume('sl', { emptyDir: { sizeLimit: 'lots' } }), says: /volumes\[0\]/ },
  { name: 'empty-dir', text: volume('ed', { emptyDir: 5 }), says: /volumes\[0\]/ },
  {
    name: 'pull-secrets',
    text: pod('ips', { spec: { containers: [container], imagePullSecrets: 'x' } }),
    says: /imagePullSecrets/,
  },
];

/** What the log says of a file, but that it is good again. */
const linesOf = ({ lines }: ForegroundKubelet, file: string) =>
  lines.filter((line) => line.includes(`/${file} `) || line.endsWith(`/${file}`));

t.test('a folder of bad manifests', { timeout: 300_000 }, async (t) => {
  const kubelet = await startForegroundKubelet(t, { host, flags: harmless });
  const { manifests } = kubelet;
  const outside = await mkdtemp(join(tmpdir(), 'hyperup-outside-'));
  t.teardown(() => rm(outside, { recursive: true, force: true }));
  await writeFile(join(outside, 'evil.json'), pod('evil'));
  await kubelet.put('a-good.json', staticPod('good'));
  const { good } = await kubelet.running(['good']);

  for (const { name, text } of badManifests) await writeFile(join(manifests, `${name}.yaml`), text);
  const links: Record<string, string> = {
    'link-out.yaml': join(outside, 'evil.json'),
    'link-up.yaml': `../../${outside.split('/').at(-1)}/evil.json`,
    'link-nowhere.yaml': './absent.yaml',
    'link-loop.yaml': './link-loop.yaml',
    'link-device.yaml': '/dev/zero',
  };
  for (const [name, target] of Object.entries(links)) await symlink(target, join(manifests, name));
  execFileSync('mkfifo', [join(manifests, 'pipe.yaml')]);
  await mkdir(join(manifests, 'folder.yaml'));
  await kubelet.put('b-double.json', staticPod('good', 'echo never'));
  await kubelet.put('z-last.json', staticPod('last'));
  await kubelet.running(['last']);
  // Two more looks at the folder: nothing is said twice.
  await sleep(5_000);

  for (const { name, says } of badManifests) {
    const said = linesOf(kubelet, `${name}.yaml`);
    t.equal(said.length, 1, `${name}: one line`, { said: said.slice(0, 5).map((line) => line.slice(0, 300)) });
    t.match(said[0] ?? '', says, `${name}: ${says}`);
    t.ok((said[0] ?? '').length < 1000, `${name}: the line can be read`);
  }
  for (const name of [...Object.keys(links), 'pipe.yaml']) {
    const said = linesOf(kubelet, name);
    // A link to nothing is a file that isn't there.
    t.equal(said.length, name === 'link-nowhere.yaml' ? 0 : 1, `${name}: one line`, { said });
  }
  t.match(linesOf(kubelet, 'b-double.json'), [/another file has its pod/]);
  const containers = await kubelet.containers();
  const pods = [...new Set(containers.map(({ pod }) => pod))].sort();
  t.same(pods, ['good', 'last'], 'nothing of them was run');
  t.equal((await kubelet.running(['good']))['good'], good, 'the good pod was left alone');
  t.notMatch(kubelet.lines.join('\n'), /Unhandled rejection|\n\s+at .*\.js:/, 'nothing that only we understand');
  t.ok(kubelet.isAlive());

  await kubelet.put('truncated.yaml', staticPod('mended'));
  await kubelet.running(['mended']);
  t.pass('a file that is mended is run');
});

t.test('a manifest that changes while it is read', { timeout: 120_000 }, async (t) => {
  const kubelet = await startForegroundKubelet(t, { host, flags: harmless });
  const path = join(kubelet.manifests, 'restless.json');
  const text = staticPod('restless', undefined, { terminationGracePeriodSeconds: 1 });
  await kubelet.put('steady.json', staticPod('steady'));
  const until = performance.now() + 5_000;
  for (let round = 0; performance.now() < until; round += 1) {
    await writeFile(path, text.slice(0, (round * 37) % text.length));
    await sleep(3);
  }
  await writeFile(path, text);
  await kubelet.running(['steady', 'restless']);
  const said = linesOf(kubelet, 'restless.json');
  t.ok(said.length < 60, `the last version runs, and the log can be read: ${said.length} lines in 5 s`);
});

interface Request {
  readonly name: string;
  /** What is sent, byte for byte. */
  readonly send: string;
  /** The first line of the answer; undefined where the connection may just end. */
  readonly answer: RegExp | undefined;
}

const head = (line: string, ...headers: string[]) => [line, 'Host: x', ...headers, '', ''].join('\r\n');
const close = 'Connection: close';
const get = (path: string) => head(`GET ${path} HTTP/1.1`, close);
const upgrade = (path: string, protocol: string, ...headers: string[]) =>
  head(`POST ${path} HTTP/1.1`, 'Connection: Upgrade', `Upgrade: ${protocol}`, ...headers);

/** In a pod that runs; `%` stands for its path. */
const requests: readonly Request[] = [
  { name: 'no HTTP', send: 'HELLO\r\n\r\n', answer: / 400 / },
  { name: 'a method that nobody knows', send: head('BREW /pods HTTP/1.1', close), answer: / 40[05] / },
  { name: 'a malformed escape', send: get('/%zz'), answer: / 400 / },
  { name: 'steps up', send: get('/logs/../../etc/passwd'), answer: / 400 / },
  { name: 'escaped steps up', send: get('/logs/%2e%2e/%2e%2e/etc/passwd'), answer: / 400 / },
  { name: 'an escaped slash', send: get('/logs/..%2f..%2fetc%2fpasswd'), answer: / 400 / },
  { name: 'a NUL', send: get('/containerLogs/default/a%00b/main'), answer: / 400 / },
  { name: 'no path', send: get('pods'), answer: / 400 / },
  {
    name: 'a huge header',
    send: head('GET /pods HTTP/1.1', `X-Huge: ${'x'.repeat(2_000_000)}`),
    answer: / (431|400) /,
  },
  { name: 'two lengths', send: head('POST /pods HTTP/1.1', 'Content-Length: 5', 'Content-Length: 6'), answer: / 400 / },
  {
    name: 'a bad chunk',
    send: `${head('POST /run/% HTTP/1.1', 'Transfer-Encoding: chunked')}zz\r\nxx\r\n`,
    answer: / 40\d /,
  },
  { name: 'a wrong number', send: get('/containerLogs/%?tailLines=many'), answer: / 400 / },
  { name: 'a negative number', send: get('/containerLogs/%?tailLines=-5'), answer: / 422 / },
  { name: 'a wrong time', send: get('/containerLogs/%?sinceTime=yesterday'), answer: / 400 / },
  { name: 'exec without streams', send: get('/exec/%?command=ls'), answer: / 400 / },
  { name: 'exec without a command', send: get('/exec/%?output=1'), answer: / 400 / },
  { name: 'exec without an upgrade', send: get('/exec/%?output=1&command=ls'), answer: / 400 / },
  { name: 'exec in no pod', send: get('/exec/default/absent/main?output=1&command=ls'), answer: / 404 / },
  {
    name: 'exec over a protocol that nobody knows',
    send: upgrade('/exec/%?output=1&command=ls', 'telnet'),
    answer: / 400 /,
  },
  {
    name: 'SPDY with a subprotocol that nobody knows',
    send: upgrade('/exec/%?output=1&command=ls', 'SPDY/3.1', 'X-Stream-Protocol-Version: v99.channel.k8s.io'),
    answer: / 403 /,
  },
  {
    name: 'SPDY and then noise',
    send: `${upgrade('/exec/%?output=1&command=ls', 'SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io')}${'\u0080\u0003\u0000\u0001noise'.repeat(200)}`,
    answer: / 101 /,
  },
  {
    name: 'a WebSocket without a key',
    send: upgrade('/exec/%?output=1&command=ls', 'websocket').replace('POST', 'GET'),
    answer: / 400 /,
  },
  {
    name: 'a WebSocket and then noise',
    send: `${head('GET /exec/%?output=1&command=ls HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol: v4.channel.k8s.io')}${'\u00ff\u00ff\u00ff\u00ff'.repeat(500)}`,
    answer: / 101 /,
  },
  { name: 'port-forward to no number', send: get('/portForward/default/good-fault-node?port=x'), answer: / 400 / },
  { name: 'an unfinished request', send: 'GET /pods HTTP/1.1\r\nHost:', answer: undefined },
  { name: 'nothing', send: '', answer: undefined },
];

/** Sends bytes, and gives the answer's first line as soon as it is there; empty where none comes. */
async function exchange(port: number, send: string, options: ConnectionOptions): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    let answer = '';
    const end = () => {
      socket.destroy();
      resolve(answer.split('\r\n')[0] ?? '');
    };
    socket.setTimeout(1_500, end);
    socket.on('error', end);
    socket.on('close', end);
    socket.on('secureConnect', () => socket.write(Buffer.from(send, 'latin1')));
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      // What is sent after the answer has to arrive too.
      if (answer.includes('\r\n')) socket.setTimeout(200, end);
    });
  });
}

/** A connection that is opened, given some bytes without TLS, and left. */
async function noise(port: number, bytes: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes, 'latin1'));
    socket.setTimeout(500, () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });
}

t.test('requests', { timeout: 180_000 }, async (t) => {
  const certificates = await makeFakeCertificates();
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-ca-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const caPath = join(folder, 'ca.crt');
  await writeFile(caPath, certificates.authority.certPem);
  const flags = [...harmless, `--client-ca-file=${caPath}`, '--authorization-mode=AlwaysAllow'];
  const kubelet = await startForegroundKubelet(t, { host, flags });
  await kubelet.put('good.json', staticPod('good'));
  const { good } = await kubelet.running(['good']);
  const trusted: ConnectionOptions = { cert: certificates.client.certPem, key: certificates.client.keyPem };
  const served = () => exchange(kubelet.port, get('/pods'), trusted);
  await eventuallySee('the server', served, (line) => / 200 /.test(line));

  await t.test('without rights', (t) => withoutRights(t, kubelet));

  for (const { name, send, answer } of requests) {
    const line = await exchange(kubelet.port, send.replaceAll('%?', 'default/good-fault-node/main?'), trusted);
    if (answer) t.match(line, answer, name);
    t.ok(kubelet.isAlive(), `${name}: the kubelet lives`);
  }
  await Promise.all(Array.from({ length: 100 }, () => noise(kubelet.port, 'GET /pods HTTP/1.0\r\n\r\n')));
  await noise(kubelet.port, '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'.repeat(100));
  t.match(await served(), / 200 /, 'after all that it serves');
  t.equal(await kubelet.healthz(), 200);
  t.equal((await kubelet.running(['good']))['good'], good, 'and its pod runs');
  t.notMatch(kubelet.lines.join('\n'), /Unhandled rejection/);
  t.notMatch(kubelet.lines.join('\n'), /PRIVATE KEY/);
});

async function withoutRights(t: Test, kubelet: ForegroundKubelet): Promise<void> {
  const stranger = await makeFakeCertificates();
  const { certPem: cert, keyPem: key } = stranger.client;
  const paths = [
    '/pods',
    '/runningpods/',
    '/metrics',
    '/logs/',
    '/configz',
    '/exec/default/x/y?command=ls&output=1',
    '/absent',
  ];
  const asked: readonly (readonly [string, string[], ConnectionOptions])[] = [
    ['nobody', [], {}],
    ['a token that nobody checks', ['Authorization: Bearer abc'], {}],
    ['a malformed token', ['Authorization: Bearer'], {}],
    ["another authority's certificate", [], { cert, key }],
  ];
  for (const [who, headers, options] of asked) {
    for (const path of paths) {
      const line = await exchange(kubelet.port, head(`GET ${path} HTTP/1.1`, close, ...headers), options);
      t.match(line, / 401 /, `${path} for ${who}`);
    }
  }
}
