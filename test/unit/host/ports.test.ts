import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { addressesClash, decodeAddress, listListeningPorts, parseSockets } from '../../../src/host/ports.js';
import { makeHost } from './support.js';

const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (local: string, state: string, inode: number) =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0\n`;

t.test('addresses', async (t) => {
  const cases = [
    { hex: '0100007F', text: '127.0.0.1' },
    { hex: '00000000', text: '0.0.0.0' },
    { hex: '020200C0', text: '192.0.2.2' },
    { hex: '00000000000000000000000000000000', text: '::' },
    { hex: '00000000000000000000000001000000', text: '::1' },
    { hex: '0000000000000000FFFF00000100007F', text: '::ffff:127.0.0.1' },
    { hex: '000000FD000000000000000001000000', text: 'fd00::1' },
    { hex: 'B80D0120000000000000000002000000', text: '2001:db8::2' },
  ];
  for (const { hex, text } of cases) t.equal(decodeAddress(hex), text);
});

t.test('only sockets that listen count', async (t) => {
  const text =
    header + line('0100007F:192B', '0A', 7) + line('0100007F:192C', '01', 8) + line('00000000:0035', '07', 9);
  t.same(parseSockets(text, 'tcp'), [{ protocol: 'tcp', address: '127.0.0.1', port: 6443, inode: '7' }]);
  t.same(parseSockets(text, 'udp'), [{ protocol: 'udp', address: '0.0.0.0', port: 53, inode: '9' }]);
  t.same(parseSockets('', 'tcp'), []);
});

t.test('who holds a port: the oldest process that shares the socket', async (t) => {
  const host = await makeHost(t, {
    '/proc/net/tcp': header + line('00000000:192B', '0A', 7) + line('0100007F:094B', '0A', 8),
    '/proc/net/udp6': header + line('00000000000000000000000000000000:0035', '07', 9),
    '/proc/100/comm': 'kube-apiserver\n',
    '/proc/99/comm': 'parent\n',
  });
  for (const [pid, inode] of [
    ['100', 7],
    ['99', 9],
    ['100', 9],
  ] as const) {
    await mkdir(join(host.root, 'proc', pid, 'fd'), { recursive: true });
    await symlink(`socket:[${inode}]`, join(host.root, 'proc', pid, 'fd', String(inode)));
  }
  t.same(await listListeningPorts(host), [
    { protocol: 'tcp', address: '127.0.0.1', port: 2379, inode: '8', pid: undefined, comm: undefined },
    { protocol: 'tcp', address: '0.0.0.0', port: 6443, inode: '7', pid: 100, comm: 'kube-apiserver' },
    { protocol: 'udp', address: '::', port: 53, inode: '9', pid: 99, comm: 'parent' },
  ]);
  t.equal((await listListeningPorts(host, { withProcesses: false }))[1]?.pid, undefined);
});

t.test('this very process is found as the holder of a real port', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const found = (await listListeningPorts({ root: '' })).find((other) => other.port === port);
  t.match(found, { protocol: 'tcp', address: '127.0.0.1', pid: process.pid });
});

t.test('which listeners are in the way of which', async (t) => {
  const cases = [
    { a: '127.0.0.1', b: '127.0.0.1', clash: true },
    { a: '127.0.0.1', b: '0.0.0.0', clash: true },
    { a: '::', b: '127.0.0.1', clash: true },
    { a: '127.0.0.1', b: '192.0.2.1', clash: false },
    { a: '::ffff:127.0.0.1', b: '127.0.0.1', clash: true },
  ];
  for (const { a, b, clash } of cases) t.equal(addressesClash(a, b), clash, `${a} and ${b}`);
});
