import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { hold, makeBlockPool, release } from '../../../src/base/block-pool.js';
import { digestOf } from '../../../src/registry/digest-of.js';
import type { BlobUpload } from '../../../src/registry/types.js';
import { failureOf, makeClients, noProxies, startRegistryFor } from './test-clients.js';

/*
 * Blobs long enough for a connection of their own (`direct-get`, `direct-send`): what holds for short ones holds for
 * them, and what those two can't read is read as before.
 */

const size = 6_000_000;
const bytes = Buffer.alloc(size, Buffer.from(Array.from({ length: 65_537 }, (_, i) => (i * 7) % 251)));
const digest = digestOf(bytes);
const whole = { start: 0, length: size };
const ann = { username: 'ann', password: 'pa:ss' };
const credentials = { find: async () => ({ kind: 'basic' as const, ...ann }) };

/** Takes lent chunks as a target does that is done with each at once. */
async function readLent(body: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  body.on('data', (chunk: Buffer) => {
    parts.push(Buffer.from(chunk));
    release(chunk);
  });
  await once(body, 'end');
  return Buffer.concat(parts);
}

/** A server that answers each connection's request as it likes; closed at the test's end. */
async function startRaw(t: Test, answer: (socket: Socket, request: string) => void): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('data', (data: Buffer) => answer(socket, data.toString('latin1')));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('a long blob, whole and in part, by who gives its chunks back and by who does not', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addBlob(bytes);
  const client = makeClients(t).clientFor(registry.host);
  for (const read of [buffer, readLent]) {
    for (const range of [whole, { start: 1_000_000, length: 4_500_000 }]) {
      const { body, ...rest } = await client.getBlob('a/b', digest, range);
      t.strictSame(rest, { start: range.start, totalSize: size, servedBy: registry.host });
      t.ok((await read(body)).equals(bytes.subarray(range.start, range.start + range.length)));
    }
  }
});

t.test('a reader that pauses', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addBlob(bytes);
  const { body } = await makeClients(t, { silenceMs: 300 }).clientFor(registry.host).getBlob('a/b', digest, whole);
  const parts: Buffer[] = [];
  let pauses = 0;
  body.on('data', (chunk: Buffer) => {
    parts.push(Buffer.from(chunk));
    release(chunk);
    if (pauses === 3) return;
    pauses += 1;
    body.pause();
    // Longer than the other side may be silent: that counts while it is read from only.
    setTimeout(() => body.resume(), pauses === 1 ? 500 : 20);
  });
  await once(body, 'end');
  t.ok(Buffer.concat(parts).equals(bytes));
  t.equal(pauses, 3);
});

t.test('logins, redirects and other hosts', async (t) => {
  for (const auth of [
    { kind: 'bearer', login: ann },
    { kind: 'basic', ...ann },
  ] as const) {
    const registry = await startRegistryFor(t, { auth });
    registry.addBlob(bytes);
    const { body } = await makeClients(t, { credentials }).clientFor(registry.host).getBlob('a/b', digest, whole);
    t.ok((await readLent(body)).equals(bytes), auth.kind);
  }
  const storage = await startRegistryFor(t);
  storage.addBlob(bytes);
  const registry = await startRegistryFor(t, { redirectsBlobsTo: storage.origin });
  const { body, servedBy } = await makeClients(t).clientFor(registry.host).getBlob('a/b', digest, whole);
  t.ok((await readLent(body)).equals(bytes));
  t.equal(servedBy, storage.host);
});

t.test('where a proxy is to be used, it is', async (t) => {
  const seen: string[] = [];
  const proxy = await startRaw(t, (socket, request) => {
    seen.push(request.split('\r\n')[0] ?? '');
    socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  });
  const clients = makeClients(t, { proxies: { ...noProxies, httpProxy: `http://${proxy}` } });
  const client = clients.clientFor('registry.invalid:5000', 'http');
  t.match(await failureOf(client.getBlob('a/b', digest, whole)), { code: 'NotFound' });
  t.ok(seen.every((line) => line.startsWith('GET http://registry.invalid:5000/')));
  t.ok(seen.length > 0);
});

t.test('an answer in another form', async (t) => {
  const head = (length: string) =>
    `HTTP/1.1 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\n${length}\r\n\r\n`;
  const forms: Readonly<Record<string, (socket: Socket) => void>> = {
    'in chunks': (socket) => {
      socket.write(head('Transfer-Encoding: chunked'));
      for (let at = 0; at < size; at += 1_000_000)
        socket.write(`f4240\r\n${bytes.toString('latin1', at, at + 1_000_000)}\r\n`, 'latin1');
      socket.end('0\r\n\r\n');
    },
    'up to the end of the connection': (socket) => {
      socket.write(head('Connection: close'));
      socket.end(bytes);
    },
    'its head in pieces': (socket) => {
      const text = head(`Content-Length: ${size}`);
      socket.write(text.slice(0, 30));
      setTimeout(() => socket.write(text.slice(30, -2)), 20);
      setTimeout(() => {
        socket.write(text.slice(-2));
        socket.end(bytes);
      }, 40);
    },
    'with more than was promised': (socket) => {
      socket.write(head(`Content-Length: ${size}`));
      socket.write(bytes);
      socket.end('and more');
    },
  };
  for (const [name, answer] of Object.entries(forms)) {
    const host = await startRaw(t, answer);
    const { body } = await makeClients(t).clientFor(host, 'http').getBlob('a/b', digest, whole);
    t.ok((await readLent(body)).equals(bytes), name);
  }
});

t.test('an answer that is none', async (t) => {
  const cases: readonly (readonly [name: string, answer: string, message: RegExp])[] = [
    ['not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', /broke the connection off/],
    ['nothing', '', /broke the connection off/],
    ['a head without an end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`, /broke the connection off/],
    ['a number that is none', 'HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n', /broke the connection off/],
  ];
  for (const [name, answer, message] of cases) {
    const host = await startRaw(t, (socket) => socket.end(answer));
    const failure = await failureOf(makeClients(t).clientFor(host, 'http').getBlob('a/b', digest, whole));
    t.match(failure, { code: 'RegistryFailed', message, details: { kind: 'broken', host } }, name);
  }
});

t.test('faults have the words that they have for short blobs', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addBlob(bytes);
  const client = makeClients(t, { silenceMs: 300, connectTimeoutMs: 300 }).clientFor(registry.host);
  const get = async (range = whole) => readLent((await client.getBlob('a/b', digest, range)).body);
  registry.fault = () => ({ kind: 'status', status: 429, headers: { 'retry-after': '7' } });
  t.match(await failureOf(get()), { details: { kind: 'rateLimited', status: 429, retryAfterMs: 7000 } });
  registry.fault = () => ({ kind: 'page', title: 'Hotel' });
  t.match(await failureOf(get()), { message: /a web page titled "Hotel"/, details: { kind: 'notRegistry' } });
  registry.fault = () => ({ kind: 'hang' });
  t.match(await failureOf(client.getBlob('a/b', digest, whole)), { code: 'Timeout', details: { kind: 'timeout' } });
  registry.fault = () => ({ kind: 'reset' });
  t.match(await failureOf(get()), { code: 'RegistryFailed', details: { kind: 'broken' } });
  registry.fault = () => ({ kind: 'cut', afterBytes: 3_000_000 });
  t.match(await failureOf(get()), { code: 'RegistryFailed', details: { kind: 'broken' } });
  registry.fault = () => ({ kind: 'stall', afterBytes: 3_000_000 });
  t.match(await failureOf(get()), { message: /sent nothing for 0.3 s/, details: { kind: 'timeout' } });
  registry.fault = () => ({ kind: 'headers', headers: { 'content-range': `bytes 7-${size - 1}/${size}` } });
  t.match(await failureOf(get({ start: 9, length: size - 9 })), { message: /bytes from 7 on, want 9/ });
  await registry.close();
  t.match(await failureOf(get()), { details: { kind: 'refused' } });
});

t.test('an abort, before the answer and in the middle', async (t) => {
  const registry = await startRegistryFor(t);
  registry.addBlob(bytes);
  const client = makeClients(t).clientFor(registry.host);
  await client.ping();
  registry.fault = () => ({ kind: 'hang' });
  const early = new AbortController();
  setTimeout(() => early.abort(), 30);
  t.match(await failureOf(client.getBlob('a/b', digest, whole, { signal: early.signal })), { code: 'Aborted' });
  registry.fault = () => ({ kind: 'stall', afterBytes: 100_000 });
  const late = new AbortController();
  const { body } = await client.getBlob('a/b', digest, whole, { signal: late.signal });
  setTimeout(() => late.abort(), 30);
  t.match(await failureOf(readLent(body)), { code: 'Aborted' });
  const before = AbortSignal.abort();
  t.match(await failureOf(client.getBlob('a/b', digest, whole, { signal: before })), { code: 'Aborted' });
});

async function begin(client: { startUpload(path: string): Promise<BlobUpload | 'mounted'> }): Promise<BlobUpload> {
  const upload = await client.startUpload('a/b');
  if (upload === 'mounted') throw new Error('mounted');
  return upload;
}

t.test('a long upload of lent chunks, whose blocks come back', async (t) => {
  const registry = await startRegistryFor(t);
  const upload = await begin(makeClients(t).clientFor(registry.host));
  const pool = makeBlockPool(100_000, 4);
  const blocks = new Set<ArrayBufferLike>();
  const source = Readable.from(
    (async function* () {
      for (let at = 0; at < size; at += 100_000) {
        const block = pool.take();
        blocks.add(block.buffer);
        bytes.copy(block, 0, at, at + 100_000);
        hold(block);
        release(block);
        yield block;
      }
    })(),
    { highWaterMark: 2 },
  );
  await upload.append(source, size);
  await upload.finish(digest);
  t.ok(registry.blobs.get(digest)?.equals(bytes));
  t.ok(blocks.size <= 5, `${blocks.size} blocks`);
  t.match(registry.log.find(({ method }) => method === 'PATCH')?.headers, {
    'content-range': `0-${size - 1}`,
    'content-length': String(size),
  });
});

t.test('a long upload that goes wrong', async (t) => {
  const registry = await startRegistryFor(t, { auth: { kind: 'basic', ...ann } });
  const client = makeClients(t, { credentials, silenceMs: 300, connectTimeoutMs: 300 }).clientFor(registry.host);
  const append = async (body: Readable, signal?: AbortSignal) => {
    const upload = await begin(client);
    const failure = await failureOf(upload.append(body, size, signal && { signal }));
    t.ok(body.destroyed, 'the source is given up');
    return failure;
  };
  const failing = Readable.from(
    (async function* () {
      yield bytes.subarray(0, 1_000_000);
      throw new Error('disk');
    })(),
  );
  t.match(await append(failing), { code: 'RegistryFailed', message: /disk/ });
  const patch = (fault: NonNullable<ReturnType<NonNullable<typeof registry.fault>>>) => {
    registry.fault = ({ method }) => (method === 'PATCH' ? fault : undefined);
  };
  const source = () => Readable.from([bytes.subarray(0, 3_000_000), bytes.subarray(3_000_000)]);
  patch({ kind: 'cut', afterBytes: 1_000_000, of: 'request' });
  t.match(await append(source()), { code: 'RegistryFailed', details: { kind: 'broken' } });
  patch({ kind: 'status', status: 503 });
  t.match(await append(source()), { code: 'RegistryFailed', details: { kind: 'status', status: 503 } });
  patch({ kind: 'hang' });
  t.match(await append(source()), { code: 'Timeout' });
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  t.match(await append(source(), abort.signal), { code: 'Aborted' });
});

t.test('a registry that refuses a long upload before it has read it', async (t) => {
  let took = 0;
  const refusing = await startRaw(t, (socket) => {
    socket.on('data', (data: Buffer) => {
      took += data.length;
    });
    const body = '{"errors":[{"code":"DENIED","message":"quota"}]}';
    socket.write(
      `HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
  const registry = await startRegistryFor(t);
  const client = makeClients(t).clientFor(registry.host);
  registry.fault = ({ method }) =>
    method === 'POST'
      ? { kind: 'headers', headers: { location: `http://${refusing}/v2/a/b/blobs/uploads/1` } }
      : undefined;
  const upload = await begin(client);
  const slow = Readable.from(
    (async function* () {
      yield bytes.subarray(0, 1_000_000);
      await new Promise((resolve) => {
        setTimeout(resolve, 10_000).unref();
      });
      yield bytes.subarray(1_000_000);
    })(),
  );
  t.match(await failureOf(upload.append(slow, size)), { code: 'PermissionDenied', message: /quota/ });
  t.ok(took < size);
});
