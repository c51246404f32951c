import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { connectEngine } from '../../../src/docker/connect.js';
import { engineCandidates } from '../../../src/docker/endpoint.js';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { json, startScriptedEngine } from './scripted-engine.js';

const home = await mkdtemp(join(tmpdir(), 'docker-home-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
const config = join(home, '.docker');

async function writeContext(name: string, docker: object | undefined, tls: Record<string, string> = {}) {
  const id = createHash('sha256').update(name).digest('hex');
  await mkdir(join(config, 'contexts', 'meta', id), { recursive: true });
  const meta = { Name: name, Metadata: {}, Endpoints: docker ? { docker } : {} };
  await writeFile(join(config, 'contexts', 'meta', id, 'meta.json'), JSON.stringify(meta));
  await mkdir(join(config, 'contexts', 'tls', id, 'docker'), { recursive: true });
  for (const [file, text] of Object.entries(tls)) {
    await writeFile(join(config, 'contexts', 'tls', id, 'docker', file), text);
  }
}

t.before(async () => {
  await writeContext('lab', { Host: 'unix:///lab.sock', SkipTLSVerify: false });
  await writeContext(
    'far',
    { Host: 'tcp://far.invalid:2376', SkipTLSVerify: true },
    { 'ca.pem': 'CA', 'cert.pem': 'C', 'key.pem': 'K' },
  );
  await writeContext('empty', undefined);
  await writeContext('remote', { Host: 'ssh://user@far.invalid' });
  await mkdir(join(home, 'certs'));
  for (const file of ['ca', 'cert', 'key']) await writeFile(join(home, 'certs', `${file}.pem`), file.toUpperCase());
  await mkdir(join(home, 'current'));
  await writeFile(join(home, 'current', 'config.json'), JSON.stringify({ currentContext: 'nosuch', auths: {} }));
  await mkdir(join(home, 'broken'));
  await writeFile(join(home, 'broken', 'config.json'), '{"currentContext": ');
});

const unix = (path: string) => ({ kind: 'unix', path });
const cases: readonly {
  readonly name: string;
  readonly host?: string;
  readonly env: Record<string, string>;
  readonly want: readonly object[];
}[] = [
  {
    name: 'nobody says anything: the default socket, then the rootless one',
    env: { HOME: home, XDG_RUNTIME_DIR: '/run/user/1000' },
    want: [
      { source: 'default socket', connection: unix('/var/run/docker.sock') },
      { source: 'rootless socket', connection: unix('/run/user/1000/docker.sock') },
    ],
  },
  { name: 'an empty environment', env: {}, want: [{ connection: unix('/var/run/docker.sock') }] },
  {
    name: 'the option outranks everything, and nothing else is tried',
    host: 'unix:///option.sock',
    env: { HOME: home, DOCKER_HOST: 'unix:///env.sock', DOCKER_CONTEXT: 'lab' },
    want: [{ source: 'engine option', connection: unix('/option.sock') }],
  },
  {
    name: 'DOCKER_HOST outranks contexts',
    env: { HOME: home, DOCKER_HOST: 'unix:///env.sock', DOCKER_CONTEXT: 'lab' },
    want: [{ source: 'DOCKER_HOST', connection: unix('/env.sock') }],
  },
  { name: 'a path alone', host: '/a.sock', env: {}, want: [{ connection: unix('/a.sock') }] },
  { name: 'unix:// without a path', host: 'unix://', env: {}, want: [{ connection: unix('/var/run/docker.sock') }] },
  {
    name: 'DOCKER_CONTEXT',
    env: { HOME: home, DOCKER_CONTEXT: 'lab' },
    want: [{ source: 'DOCKER_CONTEXT "lab"', address: 'unix:///lab.sock', connection: unix('/lab.sock') }],
  },
  {
    name: 'a context with certificates',
    env: { HOME: home, DOCKER_CONTEXT: 'far' },
    want: [
      { connection: { kind: 'tls', host: 'far.invalid', port: 2376, verify: false, ca: 'CA', cert: 'C', key: 'K' } },
    ],
  },
  {
    name: 'the default context means the sockets',
    env: { HOME: home, DOCKER_CONTEXT: 'default' },
    want: [{ source: 'default socket' }],
  },
  {
    name: 'the current context of config.json, which is not there',
    env: { HOME: home, DOCKER_CONFIG: join(home, 'current') },
    want: [{ source: 'current context "nosuch"', fault: /there is no Docker context "nosuch"/ }],
  },
  {
    name: 'a config.json that is not JSON',
    env: { HOME: home, DOCKER_CONFIG: join(home, 'broken') },
    want: [{ source: 'default socket' }],
  },
  {
    name: 'a context without an engine',
    env: { HOME: home, DOCKER_CONTEXT: 'empty' },
    want: [{ fault: /names no engine/ }],
  },
  {
    name: 'a context over ssh',
    env: { HOME: home, DOCKER_CONTEXT: 'remote' },
    want: [{ fault: /ssh:\/\/ is not supported/ }],
  },
  {
    name: 'a context, but nowhere to look for it',
    env: { DOCKER_CONTEXT: 'lab' },
    want: [{ fault: /neither DOCKER_CONFIG nor HOME/ }],
  },
  {
    name: 'tcp',
    host: 'tcp://e.invalid',
    env: {},
    want: [{ connection: { kind: 'tcp', host: 'e.invalid', port: 2375 } }],
  },
  {
    name: 'host and port alone',
    host: 'e.invalid:99',
    env: {},
    want: [{ connection: { kind: 'tcp', host: 'e.invalid', port: 99 } }],
  },
  { name: 'http on port 80', host: 'http://e.invalid:80', env: {}, want: [{ connection: { kind: 'tcp', port: 80 } }] },
  { name: 'IPv6', host: 'tcp://[::1]:2375', env: {}, want: [{ connection: { kind: 'tcp', host: '::1', port: 2375 } }] },
  {
    name: 'https without certificates of ours',
    host: 'https://e.invalid',
    env: {},
    want: [{ connection: { kind: 'tls', port: 2376, verify: true } }],
  },
  {
    name: 'TLS from the environment',
    env: { DOCKER_HOST: 'tcp://e.invalid', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: join(home, 'certs') },
    want: [{ connection: { kind: 'tls', port: 2376, verify: true, ca: 'CA', cert: 'CERT', key: 'KEY' } }],
  },
  {
    name: 'TLS without checking who answers',
    env: { DOCKER_HOST: 'tcp://e.invalid', DOCKER_CERT_PATH: join(home, 'certs') },
    want: [{ connection: { kind: 'tls', verify: false } }],
  },
  {
    name: 'certificates that are not there',
    env: { DOCKER_HOST: 'tcp://e.invalid', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/nosuch' },
    want: [{ fault: /ENOENT.*\/nosuch/ }],
  },
  {
    name: 'ssh',
    host: 'ssh://e.invalid',
    env: {},
    want: [{ fault: /ssh:\/\/ is not supported: run hyperup on that machine/ }],
  },
  { name: 'another scheme', host: 'npipe:////./pipe/x', env: {}, want: [{ fault: /npipe:\/\/ is not supported/ }] },
  { name: 'nonsense', host: 'tcp://a b', env: {}, want: [{ fault: /is not an address/ }] },
];
for (const { name, host, env, want } of cases) {
  t.test(`where to look: ${name}`, async (test) => {
    const candidates = await engineCandidates(host, env);
    for (const [index, each] of want.entries()) test.match(candidates[index], each);
    if (!name.startsWith('a config') && !name.startsWith('the default context')) {
      test.equal(candidates.length, want.length, 'and nowhere else');
    }
    for (const { connection, fault } of candidates) test.not(connection === undefined, fault === undefined);
  });
}

t.test('each endpoint that was tried is named with its reason', async (test) => {
  const gone = join(home, 'gone.sock');
  const error = await connectEngine({ host: `unix://${gone}`, env: {} }).catch((thrown: unknown) => thrown);
  test.match(error, {
    code: 'EngineUnreachable',
    message: `connect to the Docker Engine: no engine answers: unix://${gone} (engine option): there is no such socket`,
    hint: /named by engine option/,
    details: { tried: [{ address: `unix://${gone}`, source: 'engine option', reason: 'there is no such socket' }] },
  });
  await test.rejects(connectEngine({ host: 'tcp://127.0.0.1:1', env: {} }), {
    code: 'EngineUnreachable',
    message: /tcp:\/\/127.0.0.1:1 \(engine option\): nothing listens there/,
  });
  await test.rejects(connectEngine({ host: 'ssh://e.invalid', env: {} }), {
    code: 'EngineUnreachable',
    message: /ssh:\/\/ is not supported/,
  });
});

t.test('what a ping says of the version is enough to connect', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /version', json({ Version: '24.0.7', ApiVersion: '1.43', MinAPIVersion: '1.12' }));
  server.on('GET /_ping', json({}, 200, { 'api-version': '1.43', server: 'Docker/24.0.7 (linux)' }));
  server.on('GET /info', json({ NCPU: 2 }));
  const engine = await server.connect();
  test.same(server.requests, ['GET /_ping?']);
  const want = { version: '24.0.7', apiVersion: '1.43', minApiVersion: '1.12', maxApiVersion: '1.43' };
  test.match(await engine.info(), want);
  test.match(await engine.info(), want);
  const asked = server.requests.slice(1).toSorted();
  test.same(asked, ['GET /v1.43/info?', 'GET /v1.43/info?', 'GET /version?'], 'the rest is asked for once');
});

const vague: readonly { readonly name: string; readonly headers: Record<string, string> }[] = [
  { name: 'an engine newer than we know', headers: { 'api-version': '1.60', server: 'Docker/29.1.0 (linux)' } },
  { name: 'another program', headers: { 'api-version': '1.41', server: 'Libpod/4.3.1 (linux)' } },
  { name: 'nothing', headers: {} },
];
for (const { name, headers } of vague) {
  t.test(`a ping that is not enough: ${name}`, async (test) => {
    const server = await startScriptedEngine(test);
    server.on('GET /_ping', json({}, 200, headers));
    await server.connect();
    test.same(server.requests, ['GET /_ping?', 'GET /version?']);
  });
}

t.test('an engine without a ping', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /_ping', (_, response) => response.writeHead(404).end());
  await server.connect();
  test.same(server.requests, ['GET /_ping?', 'GET /version?']);
});

t.test('the version is asked for without one, and pinned from then on', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /version', json({ Version: '29.1.0', ApiVersion: '1.60', MinAPIVersion: '1.44' }));
  server.on('GET /info', json({ NCPU: 2 }));
  server.on('GET /_ping', (_, response) => response.end('OK'));
  const engine = await server.connect();
  await engine.ping();
  test.match(await engine.info(), {
    endpoint: server.host,
    version: '29.1.0',
    apiVersion: '1.52',
    minApiVersion: '1.44',
    maxApiVersion: '1.60',
  });
  test.same(server.requests, ['GET /_ping?', 'GET /version?', 'GET /v1.52/_ping?', 'GET /v1.52/info?']);
});

const refusals = [
  {
    name: 'an old engine',
    version: { Version: '19.03', ApiVersion: '1.40' },
    code: 'EngineFailed',
    message: /speaks API 1.40/,
  },
  { name: 'something else', version: { hello: 'world' }, code: 'EngineUnreachable', message: /not as a Docker Engine/ },
  {
    name: 'DOCKER_API_VERSION',
    version: { ApiVersion: '1.41' },
    env: { DOCKER_API_VERSION: '1.50' },
    code: 'InvalidConfig',
  },
];
for (const { name, version, env = {}, ...want } of refusals) {
  t.test(`refused: ${name}`, async (test) => {
    const server = await startScriptedEngine(test);
    server.on('GET /version', json(version));
    await test.rejects(connectEngine({ host: server.host, env }), want);
  });
}

t.test('an engine that does not answer is given up after the limit', async (test) => {
  const server = await startScriptedEngine(test);
  const clock = makeManualClock();
  server.on('GET /version', () => clock.advance(5000));
  await test.rejects(connectEngine({ host: server.host, env: {}, timeoutMs: 5000, clock }), {
    code: 'EngineUnreachable',
    message: /no answer within 5000 ms/,
  });
});

t.test('an abort is one', async (test) => {
  const server = await startScriptedEngine(test);
  const controller = new AbortController();
  server.on('GET /version', () => controller.abort());
  await test.rejects(connectEngine({ host: server.host, env: {}, signal: controller.signal }), { code: 'Aborted' });
});

t.test("this process's own environment is never what is connected to", async (test) => {
  const server = await startScriptedEngine(test);
  const former = process.env.DOCKER_HOST;
  test.teardown(() => {
    if (former === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = former;
  });
  process.env.DOCKER_HOST = 'tcp://elsewhere.invalid:2375';
  const engine = await connectEngine({ host: server.host, env: {} });
  engine.close();
  test.same(server.requests, ['GET /_ping?']);
  process.env.DOCKER_HOST = 'tcp://a b';
  await test.rejects(connectEngine({ host: server.host, env: {} }), { code: 'InvalidConfig', hint: /DOCKER_HOST/ });
});
