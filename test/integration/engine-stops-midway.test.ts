import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { connectEngine } from '../../src/docker/connect.js';
import { startOwnDockerd } from './engine-own-dockerd.js';

t.test('an engine that stops midway ends what is under way with EngineUnreachable', async (test) => {
  const dockerd = await startOwnDockerd(test);
  const engine = await connectEngine({ host: dockerd.host, env: {} });
  test.teardown(() => engine.close());
  let asked: () => void = () => {};
  const pulling = new Promise<void>((resolve) => {
    asked = resolve;
  });
  // A registry that never answers for the manifest, so that the pull is under way for sure.
  const registry = createHttpServer((request, response) => {
    if (request.url?.includes('/manifests/')) asked();
    else response.end('{}');
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  test.teardown(() => {
    registry.closeAllConnections();
    registry.close();
  });
  const reference = `127.0.0.1:${(registry.address() as AddressInfo).port}/image:1`;
  const upload = new PassThrough();
  upload.write(Buffer.alloc(1024));
  const work = {
    pull: engine.pullImage(reference),
    load: engine.loadImage(upload),
  };
  for (const each of Object.values(work)) each.catch(() => {});
  await pulling;
  await dockerd.kill();
  await test.rejects(work.pull, {
    code: 'EngineUnreachable',
    message: new RegExp(`^pull ${reference}: no connection to`),
  });
  await test.rejects(work.load, { code: 'EngineUnreachable', hint: /stopped or was restarted/ });
  await test.rejects(engine.ping(), { code: 'EngineUnreachable' }, 'and what comes after');
  const fresh = connectEngine({ host: dockerd.host, env: {} });
  await test.rejects(fresh, { code: 'EngineUnreachable', message: /nothing listens there/ });
});

t.test('an engine over TLS with client certificates', async (test) => {
  const port = await freePort();
  const certs = makeCertificates(test.testdir());
  const server = ['ca', 'cert', 'key'].map(
    (name) => `--tls${name === 'ca' ? 'cacert' : name}=${certs.server}/${name}.pem`,
  );
  await startOwnDockerd(test, ['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', ...server]);
  const DOCKER_HOST = `tcp://127.0.0.1:${port}`;
  const engine = await connectEngine({ env: { DOCKER_HOST, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certs.client } });
  test.teardown(() => engine.close());
  await engine.ping();
  test.equal((await engine.info()).endpoint, DOCKER_HOST);
  await test.rejects(connectEngine({ env: { DOCKER_HOST } }), {
    code: 'EngineUnreachable',
    message: /HTTP request to an HTTPS server/,
  });
  await test.rejects(
    connectEngine({ env: { DOCKER_HOST, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certs.stranger } }),
    { code: 'EngineUnreachable', message: /certificate/ },
    'nor with certificates of another CA',
  );
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Folders as DOCKER_CERT_PATH wants them, each with `ca.pem`, `cert.pem` and `key.pem`. */
function makeCertificates(dir: string): Record<'server' | 'client' | 'stranger', string> {
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  for (const ca of ['own', 'other']) {
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-subj',
      `/CN=${ca}`,
      '-keyout',
      join(dir, `${ca}.key`),
      '-out',
      join(dir, `${ca}.pem`),
    );
  }
  const make = (name: string, ca: string, usage: string) => {
    const at = (file: string) => join(dir, name, file);
    mkdirSync(join(dir, name));
    writeFileSync(at('ext'), `subjectAltName=IP:127.0.0.1\nextendedKeyUsage=${usage}\n`);
    openssl('req', ...newKey.slice(0, -2), '-subj', `/CN=${name}`, '-keyout', at('key.pem'), '-out', at('csr'));
    const signer = ['-CA', join(dir, `${ca}.pem`), '-CAkey', join(dir, `${ca}.key`), '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', at('csr'), ...signer, '-extfile', at('ext'), '-out', at('cert.pem'));
    execFileSync('cp', [join(dir, `${ca}.pem`), at('ca.pem')]);
    return join(dir, name);
  };
  return {
    server: make('server', 'own', 'serverAuth'),
    client: make('client', 'own', 'clientAuth'),
    stranger: make('stranger', 'other', 'clientAuth'),
  };
}
