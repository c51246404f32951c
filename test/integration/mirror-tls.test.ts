import { createServer } from 'node:https';
import t from 'tap';
import { makeRegistryProbe } from '../../src/mirror/registry-probe.js';
import { makeFakeCertificates } from '../fakes/fake-api-server-certs.js';
import { startFaultRegistry } from '../fakes/fault-registry.js';
import { makeTinyImage, manifestType } from '../fixtures/registry-image.js';

const { server: identity } = await makeFakeCertificates();
const image = await makeTinyImage('over TLS');
const server = createServer({ cert: identity.certPem, key: identity.keyPem }, (request, response) => {
  response.setHeader('content-type', request.url === '/v2/' ? 'application/json' : manifestType);
  response.end(request.url === '/v2/' ? '{}' : image.manifest.bytes);
});
const host = await new Promise<string>((resolve) => {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    resolve(`127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`);
  });
});
const probe = makeRegistryProbe({ timeoutMs: 5000 });
t.teardown(async () => {
  await probe.close();
  server.closeAllConnections();
  server.close();
});

t.test('a certificate of an unknown authority is named with who issued it', async (t) => {
  const result = await probe.probe({ reference: `${host}/etcd:v1`, insecure: false }, undefined);
  t.match(result, {
    ok: false,
    kind: 'tls',
    wholeHost: true,
    reason: `${host}: its certificate is signed by an authority that is not trusted here (issued by "fake-ca" to "fake")`,
  });
});

t.test('where the engine takes any certificate, so does the probe', async (t) => {
  const result = await probe.probe({ reference: `${host}/etcd:v1`, insecure: true }, undefined);
  t.match(result, { ok: true, digest: image.manifest.digest });
});

t.test('a registry that speaks plain HTTP where TLS is wanted', async (t) => {
  const plain = await startFaultRegistry('empty');
  t.teardown(() => plain.close());
  const result = await probe.probe({ reference: `${plain.host}/etcd:v1`, insecure: false }, undefined);
  t.match(result, { ok: false, kind: 'tls', reason: `${plain.host} does not speak TLS (it is plain HTTP)` });
});
