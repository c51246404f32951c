import { createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createPlainClient, type PlainClient } from '../../../src/registry/plain-http.js';

const { signal } = new AbortController();

/** A server that is told what to do with each connection's first request; its connections are counted. */
async function serve(t: Test, answer: (socket: Socket, connection: number) => void) {
  let connections = 0;
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    const mine = connections;
    socket.on('error', () => {});
    socket.on('data', () => answer(socket, mine));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: new URL(`http://127.0.0.1:${port}/v2/?a=b`), connections: () => connections };
}

function client(t: Test): PlainClient {
  const made = createPlainClient({ connections: 4, keepAliveMs: 5000, connectTimeoutMs: 5000 });
  t.teardown(() => made.close());
  return made;
}

const get = { method: 'GET', headers: {}, body: undefined, signal, silenceMs: 150 };
const ok = (text: string, length = text.length) => `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${text}`;

t.test('a connection serves one request after the other', async (t) => {
  const { url, connections } = await serve(t, (socket) => socket.write(ok('hello')));
  const plain = client(t);
  for (let times = 0; times < 3; times += 1) {
    const { statusCode, body } = await plain.request({ ...get, url });
    t.same([statusCode, (await buffer(body)).toString()], [200, 'hello']);
  }
  t.equal(connections(), 1);
});

t.test('silence in the middle fails, a reader that takes its time does not', async (t) => {
  const { url } = await serve(t, (socket) => socket.write(ok('half', 8)));
  const { body } = await client(t).request({ ...get, url });
  await t.rejects(buffer(body), { code: 'UND_ERR_BODY_TIMEOUT' });

  const long = 'x'.repeat(1_000_000);
  const whole = await serve(t, (socket) => socket.write(ok(long)));
  const slow = await client(t).request({ ...get, url: whole.url });
  await delay(400);
  t.equal((await buffer(slow.body)).length, long.length);
});

t.test('what is no answer fails', async (t) => {
  const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
  for (const text of [upgrade, 'SSH-2.0-x\r\n']) {
    const { url } = await serve(t, (socket) => socket.write(text));
    await t.rejects(client(t).request({ ...get, url }), { code: /^UND_ERR_SOCKET$|^HPE_|^ECONNRESET$/ });
  }
  const { url } = await serve(t, (socket) => socket.destroy());
  await t.rejects(client(t).request({ ...get, url }), { code: 'ECONNRESET' });
});

t.test('an end from outside: of a request, of a body, of all', async (t) => {
  const { url } = await serve(t, () => {});
  const stop = new AbortController();
  const reason = new Error('Ctrl-C');
  const waiting = client(t).request({ ...get, url, signal: stop.signal });
  stop.abort(reason);
  await t.rejects(waiting, reason);

  const half = await serve(t, (socket) => socket.write(ok('half', 8)));
  const later = new AbortController();
  const { body } = await client(t).request({ ...get, silenceMs: 5000, url: half.url, signal: later.signal });
  const reading = buffer(body);
  later.abort(reason);
  await t.rejects(reading, reason);

  const closing = client(t);
  const under = closing.request({ ...get, url });
  await delay(50);
  closing.close();
  await t.rejects(under, { code: 'UND_ERR_CLOSED' });
});
