import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createPortDialer } from '../../../../src/kubelet/server/port-dialer.js';
import type { RuntimeSandbox } from '../../../../src/kubelet/types.js';

/** Stands in for nsenter: runs what follows `--` where it is. */
const enterNothing = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n';

async function listen(t: Test, onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Reaches the pod by entering its network, since no address of it answers. */
async function dialWithin(t: Test, port: number) {
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-dialer-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const nsenterBinary = join(folder, 'nsenter');
  await writeFile(nsenterBinary, enterNothing);
  await chmod(nsenterBinary, 0o755);
  const sandbox = { hostNetwork: false, ips: [], pid: process.pid } as unknown as RuntimeSandbox;
  const dial = createPortDialer({ sandbox: async () => sandbox, nodeIps: [], nsenterBinary });
  const connection = await dial({ metadata: { name: 'pod' } }, port);
  t.teardown(() => connection.destroy());
  return connection;
}

async function textOf(connection: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of connection) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

t.test('a server that sends and closes while its client keeps silent: the end arrives', async (t) => {
  const port = await listen(t, (socket) => {
    socket.resume();
    socket.end('x'.repeat(100_000));
  });
  const connection = await dialWithin(t, port);
  t.equal((await textOf(connection)).length, 100_000);
});

t.test('a client that has sent all still gets the answer', async (t) => {
  const port = await listen(t, (socket) => {
    const parts: Buffer[] = [];
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('end', () => socket.end(`got ${Buffer.concat(parts).length}`));
  });
  const connection = await dialWithin(t, port);
  connection.end('y'.repeat(200_000));
  t.equal(await textOf(connection), 'got 200000');
});

t.test('a port that nobody listens on', async (t) => {
  const port = await listen(t, (socket) => socket.destroy());
  const free = port === 1 ? 2 : 1;
  await t.rejects(dialWithin(t, free), { code: 'NotFound', message: /ECONNREFUSED/ });
});
