import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { probeHealth } from '../../../src/kube/http-health.js';
import { startFakeApiServer } from '../../fakes/fake-api-server.js';
import { makeFakeCertificates } from '../../fakes/fake-api-server-certs.js';

const certificates = await makeFakeCertificates();

t.test('a component that answers over TLS', async (t) => {
  const server = await startFakeApiServer({ certificates, requireClientCertificate: true });
  t.teardown(() => server.close());
  const caPem = certificates.authority.certPem;
  const { certPem: clientCertPem, keyPem: clientKeyPem } = certificates.client;
  const probe = { url: `${server.url}/healthz?verbose`, caPem, clientCertPem, clientKeyPem, timeoutMs: 5000 };
  server.on('GET /healthz', (_, response) => response.end('ok'), 1);
  t.strictSame(await probeHealth(probe), { statusCode: 200, body: 'ok' });
  t.match(server.requests[0], { user: 'tester', query: { size: 1 } });
  server.on('GET /healthz', (_, response) => response.writeHead(500).end('etcd failed'), 1);
  t.strictSame(await probeHealth(probe), { statusCode: 500, body: 'etcd failed' }, 'an answer, not an error');
  server.on('GET /healthz', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(), 1);
  t.equal((await probeHealth(probe)).statusCode, 302, 'redirects are not followed');
  server.on('GET /healthz', () => {});
  await t.rejects(probeHealth({ ...probe, timeoutMs: 30 }), {
    code: 'Timeout',
    message: 'probe /healthz: no answer after 0.03 s',
  });
  await t.rejects(probeHealth({ ...probe, signal: AbortSignal.abort() }), { code: 'Aborted' });
});

t.test('whom not to believe', async (t) => {
  const server = await startFakeApiServer({ certificates });
  t.teardown(() => server.close());
  server.on('GET /healthz', (_, response) => response.end('ok'));
  const stranger = await makeFakeCertificates();
  const caPem = certificates.authority.certPem;
  const cases = [
    { name: 'no authority given', options: {}, want: 'CertificateRejected' },
    { name: 'another authority', options: { caPem: stranger.authority.certPem }, want: 'CertificateRejected' },
    { name: 'another name', options: { caPem, serverName: 'elsewhere.example' }, want: 'CertificateRejected' },
  ];
  for (const { name, options, want } of cases) {
    const probe = probeHealth({ url: `${server.url}/healthz`, timeoutMs: 5000, ...options });
    const error: unknown = await probe.catch((caught: unknown) => caught);
    t.match(error, { code: 'ApiFailed', details: { reason: want } }, name);
  }
  t.match(await probeHealth({ url: `${server.url}/healthz`, timeoutMs: 5000, caPem, serverName: 'kubernetes' }), {
    body: 'ok',
  });
  t.equal(server.requests.length, 1, 'none of the others got as far as a request');
});

t.test('plain http, and nobody there', async (t) => {
  const server = createServer((_, response) => response.end('ok'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/healthz`;
  t.strictSame(await probeHealth({ url, timeoutMs: 5000 }), { statusCode: 200, body: 'ok' });
  server.close();
  await once(server, 'close');
  const error: unknown = await probeHealth({ url, timeoutMs: 5000 }).catch((caught: unknown) => caught);
  t.match(error, { code: 'ApiFailed', details: { reason: 'Unreachable', errno: 'ECONNREFUSED' } });
});
