import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import { openBundle } from '../../../../src/mirror/bundle/open-bundle.js';
import { serveBundle } from '../../../../src/mirror/bundle/serve.js';
import { builtContents, builtImage, twoImages, writtenBundle } from '../../../builders/bundle.js';

const big = builtImage('docker.io/library/big:1', [Buffer.alloc(24 << 20, 'big layer ')]);

async function serving(t: Test, built = [big, ...twoImages()]) {
  const path = join(t.testdir(), 'b.tar');
  await writtenBundle(path, builtContents(built));
  const bundle = await openBundle(path);
  const server = await serveBundle({ bundle, host: '127.0.0.1', port: 0, tls: undefined, logger: silentLogger });
  t.teardown(async () => {
    await server.close();
    await bundle.close();
  });
  return { server, url: `http://127.0.0.1:${server.port}` };
}

t.test('serves manifests and blobs', async (t) => {
  const { url } = await serving(t);
  const answer = await fetch(`${url}/v2/library/big/manifests/1`);
  t.equal(answer.headers.get('docker-content-digest'), big.image.manifest.digest);
  t.same(Buffer.from(await answer.arrayBuffer()), big.blobs.get(big.image.manifest.digest));
  const layer = big.image.layers[0]?.digest ?? '';
  const part = await fetch(`${url}/v2/library/big/blobs/${layer}`, { headers: { range: 'bytes=5000000-5000009' } });
  t.equal(part.status, 206);
  t.equal(await part.text(), 'big layer ');
  const head = await fetch(`${url}/v2/library/big/blobs/${layer}`, { method: 'HEAD' });
  t.equal(head.headers.get('content-length'), String(24 << 20));
  const push = await fetch(`${url}/v2/library/big/blobs/uploads/`, { method: 'POST', body: Buffer.alloc(1 << 20) });
  t.equal(push.status, 405);
});

t.test('a client that takes nothing holds nobody up, nor the end', async (t) => {
  const { server, url } = await serving(t);
  const layer = big.image.layers[0]?.digest ?? '';
  const slow = await new Promise<Socket>((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => resolve(socket));
    socket.on('error', () => {});
  });
  slow.pause();
  slow.write(`GET /v2/library/big/blobs/${layer} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await fetch(`${url}/v2/`);
  const whole = await (await fetch(`${url}/v2/library/big/blobs/${layer}`)).arrayBuffer();
  t.equal(whole.byteLength, 24 << 20);
  await server.close();
  t.pass('closes with a blob under way');
  slow.destroy();
});

t.test('a port that is taken is said so', async (t) => {
  const { server } = await serving(t);
  const path = join(t.testdir(), 'c.tar');
  await writtenBundle(path, builtContents(twoImages()));
  const bundle = await openBundle(path);
  t.teardown(() => bundle.close());
  const options = { bundle, host: '127.0.0.1', port: server.port, tls: undefined, logger: silentLogger };
  await t.rejects(serveBundle(options), { code: 'Conflict' });
  const tls = { cert: 'no', key: 'no' };
  await t.rejects(serveBundle({ ...options, port: 0, tls }), { code: 'InvalidConfig' }, 'a certificate that is none');
});

t.test('a delta is refused', async (t) => {
  const built = twoImages();
  const path = join(t.testdir(), 'd.tar');
  await writtenBundle(path, builtContents(built, [built[0]?.image.layers[1]?.digest ?? '']));
  const bundle = await openBundle(path);
  t.teardown(() => bundle.close());
  const options = { bundle, host: '127.0.0.1', port: 0, tls: undefined, logger: silentLogger };
  await t.rejects(serveBundle(options), { code: 'InvalidConfig', message: /delta/ });
});
