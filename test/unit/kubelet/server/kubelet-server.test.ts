import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import t from 'tap';
import type { KubeletServer } from '../../../../src/kubelet/server/kubelet-server.js';
import { createKubeletServer } from '../../../../src/kubelet/server/kubelet-server.js';
import { parseTarget } from '../../../../src/kubelet/server/router.js';
import type { RequestAttributes, ServerUser } from '../../../../src/kubelet/server/server-types.js';
import { issueLeaf, openAuthority } from '../../../../src/pki/issue-certificate.js';
import { leafSpec, makeFakeCertificates } from '../../../fakes/fake-api-server-certs.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { ask, startScene } from './server-scene.js';
import { makeSpdyClient, type SpdyClient } from './spdy-client.js';

interface Credentials {
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

function askSecurely(port: number, path: string, credentials: Credentials, method = 'GET') {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const { token, ...identity } = credentials;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method,
      rejectUnauthorized: false,
      agent: false,
      headers,
      ...identity,
    };
    const request = httpsRequest(options, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

void t.test('who may do what', async (t) => {
  const own = await makeFakeCertificates();
  const foreign = await makeFakeCertificates();
  const { options, stop } = await startScene();
  t.teardown(stop);
  const now = Date.now();
  const admin = await issueLeaf(
    leafSpec({ commonName: 'api', organizations: ['a', 'b'], usages: ['client'] }),
    await openAuthority(own.authority),
    now,
  );
  const clock = makeManualClock(now);
  const asked: string[] = [];
  let reviews = 0;
  const server: KubeletServer = createKubeletServer({
    ...options,
    clock,
    address: '127.0.0.1',
    port: 0,
    certificate: own.server.certPem,
    key: own.server.keyPem,
    auth: {
      clientCa: own.authority.certPem,
      anonymous: false,
      async authenticateToken(token) {
        reviews++;
        return token === 'good' ? { name: 'holder', groups: ['g'] } : undefined;
      },
      async authorize(user: ServerUser, { verb, subresource, name }: RequestAttributes) {
        asked.push(`${user.name}[${user.groups.join(' ')}] ${verb} ${name}/${subresource}`);
        return user.name === 'api' || subresource === 'stats';
      },
    },
  });
  const { port } = await server.start();
  t.teardown(() => server.stop());
  const api = { cert: admin.certPem, key: admin.keyPem };
  const stranger = { cert: foreign.client.certPem, key: foreign.client.keyPem };
  const everyone = 'system:authenticated';
  const cases = [
    { name: 'nobody', path: '/pods', who: {}, status: 401, asked: [] },
    { name: 'a bad token', path: '/pods', who: { token: 'bad' }, status: 401, asked: [] },
    { name: "another authority's certificate", path: '/pods', who: stranger, status: 401, asked: [] },
    { name: 'a certificate', path: '/pods', who: api, status: 200, asked: [`api[a b ${everyone}] get node/pods`] },
    { name: 'again', path: '/pods?x', who: api, status: 200, asked: [] },
    {
      name: 'another verb',
      path: '/run/a/b/c',
      method: 'POST',
      who: api,
      status: 404,
      asked: [`api[a b ${everyone}] create node/proxy`],
    },
    {
      name: 'a token',
      path: '/stats/summary',
      who: { token: 'good' },
      status: 200,
      asked: [`holder[g ${everyone}] get node/stats`],
    },
    {
      name: 'not for it',
      path: '/configz',
      who: { token: 'good' },
      status: 403,
      asked: [`holder[g ${everyone}] get node/configz`, `holder[g ${everyone}] get node/proxy`],
    },
    {
      name: 'logs',
      path: '/logs/',
      who: { token: 'good' },
      status: 403,
      asked: [`holder[g ${everyone}] get node/log`],
    },
    {
      name: 'metrics',
      path: '/metrics/cadvisor',
      who: { token: 'good' },
      status: 403,
      asked: [`holder[g ${everyone}] get node/metrics`],
    },
  ];
  for (const { name, path, who, method, status, asked: want } of cases) {
    asked.length = 0;
    const answer = await askSecurely(port, path, who, method);
    t.equal(answer.status, status, name);
    t.same(asked, want, `${name}: asked`);
    if (status === 403) t.match(answer.body, /^Forbidden \(user=holder, verb=get, resource=nodes, subresource=/);
  }
  t.equal(reviews, 2, 'tokens are reviewed once');
  clock.advance(31_000);
  asked.length = 0;
  await askSecurely(port, '/configz', { token: 'good' });
  await askSecurely(port, '/pods', api);
  t.equal(asked.length, 2, 'refusals are asked again after 30 s, the rest is known');
  clock.advance(300_000);
  await askSecurely(port, '/pods', api);
  t.equal(asked.length, 3, 'and after 5 min all');
});

void t.test('paths', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const cases = [
    { path: '/healthz', status: 200, body: /^ok$/ },
    { path: '/healthz/ping', status: 200, body: /ok/ },
    { path: '/healthz/nothing', status: 404, body: /not found/ },
    {
      path: '/pods',
      status: 200,
      body: /"kind":"PodList","apiVersion":"v1","metadata":\{\},"items":\[\{"metadata":\{"name":"web"/,
    },
    { path: '/runningpods/', status: 200, body: /PodList/ },
    { path: '/configz', status: 200, body: /"kubeletconfig":\{"kind":"KubeletConfiguration"\}/ },
    { path: '/spec/', status: 200, body: /num_cores/ },
    { path: '/stats/summary', status: 200, body: /"podRef":\{"name":"web".*"usageCoreNanoSeconds":2000000000/ },
    {
      path: '/metrics',
      status: 200,
      body: /kubelet_running_pods 1\n[\s\S]*kubelet_running_containers\{container_state="running"\} 1/,
    },
    {
      path: '/metrics/cadvisor',
      status: 200,
      body: /container_cpu_usage_seconds_total\{container="app",cpu="total".*pod="web"\} 2 1000/,
    },
    { path: '/metrics/resource', status: 200, body: /node_cpu_usage_seconds_total 5 1000\n[\s\S]*scrape_error 0/ },
    { path: '/metrics/probes', status: 200, body: /^# HELP process_start_time_seconds/ },
    { path: '/run/ns/web/app?cmd=both', method: 'POST', status: 200, body: /outerr|errout/ },
    { path: '/run/ns/web/app?cmd=exit%204', method: 'POST', status: 500, body: /exited with 4/ },
    { path: '/exec/ns/web/app?command=a&output=1', method: 'POST', status: 400, body: /unable to upgrade/ },
    { path: '/pods', method: 'DELETE', status: 405, body: /405/ },
    { path: '/nothing', status: 404, body: /404/ },
    { path: '/pods/../exec', status: 400, body: /malformed/ },
    { path: '/logs/..%2f..%2fetc/passwd', status: 400, body: /malformed/ },
    { path: '/logs/nothing-like-that', status: 404, body: /404/ },
    { path: '/%zz', status: 400, body: /malformed/ },
    { path: `/pods?${'x'.repeat(100_000)}`, status: 200, body: /PodList/ },
    { path: `/pods?${'x'.repeat(1_100_000)}`, status: 431, body: /^$/ },
  ];
  for (const { path, method, status, body } of cases) {
    t.match(await ask(scene.port, path, method), { status, body }, `${method ?? 'GET'} ${path.slice(0, 60)}`);
  }
  const plain = await ask(scene.port, '/pods', 'GET', { connection: 'Upgrade', upgrade: 'h2c' });
  t.equal(plain.status, 200, 'an upgrade that nobody takes is answered as a plain request');
  await new Promise<void>((resolve) => {
    const socket = connect(scene.port, '127.0.0.1', () => socket.end('no http\r\n\r\n'));
    socket.resume();
    socket.on('close', () => resolve());
  });
  t.equal((await ask(scene.port, '/healthz')).status, 200, 'still serving');
});

void t.test('targets', async (t) => {
  t.match(parseTarget('/a/b%20c/?x=1'), { segments: ['a', 'b c'], trailingSlash: true });
  t.same(parseTarget('http://node:10250/pods').segments, ['pods']);
  for (const bad of ['*', '', '//a', '/a//b', '/.', '/a/%2e%2e/b', '/a%00']) t.throws(() => parseTarget(bad), bad);
});

void t.test('exec over TLS, with another certificate, until the stop', async (t) => {
  const { server: first } = await makeFakeCertificates();
  const { server: second } = await makeFakeCertificates();
  const { options, execs, stop } = await startScene();
  t.teardown(stop);
  const server = createKubeletServer({
    ...options,
    address: '127.0.0.1',
    port: 0,
    certificate: first.certPem,
    key: first.keyPem,
    auth: { anonymous: true, authorize: 'AlwaysAllow' },
  });
  const { port } = await server.start();
  server.updateCertificate(second.certPem, second.keyPem);
  const headers = { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' };
  const exec = (command: string) =>
    new Promise<SpdyClient>((resolve, reject) => {
      const path = `/exec/ns/web/app?input=1&output=1&command=${command}`;
      const target = {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        headers,
        agent: false,
        rejectUnauthorized: false,
      };
      const request = httpsRequest(target);
      request.on('upgrade', (_response, socket, head) => resolve(makeSpdyClient(socket, head)));
      request.on('error', reject);
      request.end();
    });
  const client = await exec('cat');
  const [error, stdin, stdout] = await Promise.all(
    ['error', 'stdin', 'stdout'].map((streamtype) => client.open({ streamtype })),
  );
  const sent = Buffer.alloc(300_000, 'tls');
  await stdin?.write(sent, true);
  t.ok((await stdout?.ended)?.equals(sent));
  t.match(String(await error?.ended), /Success/);
  client.socket.end();
  const hanging = await exec('hang');
  const streams = await Promise.all(['error', 'stdin', 'stdout'].map((streamtype) => hanging.open({ streamtype })));
  await Promise.all(streams.map(({ replied }) => replied));
  await server.stop();
  await hanging.closed;
  t.equal(execs.length, 2);
});
