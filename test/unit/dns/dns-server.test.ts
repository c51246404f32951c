import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type DecodedPacket, decode } from 'dns-packet';
import t from 'tap';
import { systemClock } from '../../../src/base/clock.js';
import { silentLogger } from '../../../src/base/logger.js';
import { parseDnsFlags } from '../../../src/dns/dns-flags.js';
import { runDns } from '../../../src/dns/dns-server.js';
import type { DnsOptions } from '../../../src/dns/options.js';
import { type FakeApiServer, sendJson, startFakeApiServer } from '../../fakes/fake-api-server.js';
import { makeFakeCertificates } from '../../fakes/fake-api-server-certs.js';
import type { StoredObject } from '../../fakes/fake-api-server-store.js';
import { queryOf, shortly } from './dns-scene.js';

const certificates = await makeFakeCertificates();

function put(api: FakeApiServer, collection: string, namespace: string | undefined, name: string, fields: object) {
  const object = { metadata: { name, resourceVersion: '', uid: '' }, ...fields } as StoredObject;
  api.store.put({ collection, namespace, name, subresource: undefined }, object);
}

function putService(api: FakeApiServer, name: string, spec: object) {
  put(api, '/api/v1/services', 'default', name, { spec });
}

async function eventually<T>(what: () => Promise<T> | T, good: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const value = await what();
    if (good(value) || tries > 400) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Running {
  readonly api: FakeApiServer;
  readonly port: number;
  readonly readyPort: number;
  readonly metricsPort: number;
  ask(name: string): Promise<DecodedPacket & { rcode: string }>;
  stop(): Promise<void>;
}

/** The whole server against a fake API server. Ports are taken beforehand, since flags want numbers. */
async function startServer(test: Tap, api: FakeApiServer): Promise<Running> {
  const [port, readyPort, metricsPort] = await freePorts(3);
  const kubeconfig = join(test.testdir(), 'kubeconfig');
  const authority = Buffer.from(certificates.authority.certPem).toString('base64');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      clusters: [{ name: 'a', cluster: { server: api.url, 'certificate-authority-data': authority } }],
      users: [{ name: 'a', user: { token: 'secret' } }],
    }),
  );
  const options: DnsOptions = parseDnsFlags([
    `--kubeconfig=${kubeconfig}`,
    `--listen=127.0.0.1:${port}`,
    '--resolv-conf=/nonexistent',
    '--http-address=127.0.0.1',
    '--health-port=0',
    `--ready-port=${readyPort}`,
    `--metrics-port=${metricsPort}`,
  ]);
  const stopping = new AbortController();
  const done = runDns(options, { env: {}, clock: systemClock, logger: silentLogger, signal: stopping.signal });
  const running: Running = {
    api,
    port: port as number,
    readyPort: readyPort as number,
    metricsPort: metricsPort as number,
    async ask(name) {
      const socket = createSocket('udp4');
      socket.send(queryOf(name, 'A', 1232), running.port, '127.0.0.1');
      const timer = setInterval(() => socket.send(queryOf(name, 'A', 1232), running.port, '127.0.0.1'), 300);
      const [message] = (await once(socket, 'message')) as [Buffer];
      clearInterval(timer);
      socket.close();
      return decode(message) as DecodedPacket & { rcode: string };
    },
    async stop() {
      stopping.abort();
      await done;
    },
  };
  return running;
}

interface Tap {
  testdir(): string;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const sockets = Array.from({ length: count }, () => createSocket('udp4'));
  for (const socket of sockets) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
  }
  const ports = sockets.map((socket) => socket.address().port);
  for (const socket of sockets) socket.close();
  return ports;
}

async function statusOf(port: number, path: string): Promise<number> {
  return await fetch(`http://127.0.0.1:${port}${path}`).then(
    (response) => response.status,
    () => 0,
  );
}

async function makeApi(slices: boolean): Promise<FakeApiServer> {
  const api = await startFakeApiServer({ certificates });
  if (slices) api.on('GET /apis/discovery.k8s.io/v1', (_request, response) => sendJson(response, 200, {}));
  put(api, '/api/v1/namespaces', undefined, 'default', {});
  putService(api, 'web', { clusterIP: '10.96.0.20', ports: [{ name: 'http', port: 80 }] });
  putService(api, 'db', { clusterIP: 'None', ports: [{ port: 5432 }] });
  return api;
}

for (const slices of [true, false]) {
  t.test(`the whole server, with ${slices ? 'EndpointSlices' : 'Endpoints'}`, async (t) => {
    const api = await makeApi(slices);
    const putDb = (ip: string) => {
      if (slices) {
        put(api, '/apis/discovery.k8s.io/v1/endpointslices', 'default', 'db-xyz', {
          metadata: { name: 'db-xyz', labels: { 'kubernetes.io/service-name': 'db' } },
          addressType: 'IPv4',
          endpoints: [
            { addresses: [ip], hostname: 'db-0' },
            { addresses: ['10.244.9.9'], conditions: { ready: false } },
          ],
          ports: [{ name: '', port: 5432, protocol: 'TCP' }],
        });
      } else {
        put(api, '/api/v1/endpoints', 'default', 'db', {
          subsets: [
            {
              addresses: [{ ip, hostname: 'db-0' }],
              notReadyAddresses: [{ ip: '10.244.9.9' }],
              ports: [{ port: 5432 }],
            },
          ],
        });
      }
    };
    putDb('10.244.0.6');
    const server = await startServer(t, api);
    t.equal(
      await eventually(
        () => statusOf(server.readyPort, '/ready'),
        (status) => status === 200,
      ),
      200,
    );
    t.equal(await statusOf(server.readyPort, '/other'), 404);
    const web = 'web.default.svc.cluster.local';
    t.strictSame(shortly((await server.ask(web)).answers), [`${web} 30 A 10.96.0.20`]);
    const db = 'db.default.svc.cluster.local';
    t.strictSame(shortly((await server.ask(db)).answers), [`${db} 30 A 10.244.0.6`]);
    t.strictSame(shortly((await server.ask(`db-0.${db}`)).answers), [`db-0.${db} 30 A 10.244.0.6`]);

    putDb('10.244.0.7');
    const after = await eventually(
      async () => shortly((await server.ask(db)).answers),
      ([first]) => first === `${db} 30 A 10.244.0.7`,
    );
    t.strictSame(after, [`${db} 30 A 10.244.0.7`], 'a change is answered');
    const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
    t.match(text, /coredns_dns_requests_total\{[^}]*type="A",zone="cluster\.local\."\} \d/);

    await api.close();
    t.strictSame(shortly((await server.ask(web)).answers), [`${web} 30 A 10.96.0.20`], 'without the API server');
    t.equal(await statusOf(server.readyPort, '/ready'), 200);
    await server.stop();
    t.equal(await statusOf(server.readyPort, '/ready'), 0, 'nothing runs on');
  });
}

t.test('before the API server answers', async (t) => {
  const api = await makeApi(true);
  api.on('GET /api/v1/services', () => {});
  const server = await startServer(t, api);
  t.equal(
    await eventually(
      () => statusOf(server.readyPort, '/ready'),
      (status) => status !== 0,
    ),
    503,
  );
  t.equal((await server.ask('web.default.svc.cluster.local')).rcode, 'SERVFAIL');
  await server.stop();
  await api.close();
});

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** All that comes until the connection ends. */
async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  if (!socket.closed) await once(socket, 'close').catch(() => {});
  return Buffer.concat(chunks);
}

t.test('TCP: several queries, bad ones, and a flood', async (t) => {
  const api = await makeApi(true);
  const server = await startServer(t, api);
  await eventually(
    () => statusOf(server.readyPort, '/ready'),
    (status) => status === 200,
  );
  const open = () => connect({ host: '127.0.0.1', port: server.port });
  const web = 'web.default.svc.cluster.local';

  await t.test('a stream in any pieces', async (t) => {
    const socket = open();
    const stream = Buffer.concat(Array.from({ length: 5 }, () => framed(queryOf(web, 'A'))));
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    for (let at = 0; at < stream.length; at += 7) socket.write(stream.subarray(at, at + 7));
    const answerLength = 2 + queryOf(web, 'A').length + 16;
    await eventually(
      () => Buffer.concat(received).length,
      (length) => length >= 5 * answerLength,
    );
    const whole = Buffer.concat(received);
    t.equal(whole.length, 5 * answerLength);
    t.strictSame(shortly(decode(whole.subarray(2)).answers), [`${web} 30 A 10.96.0.20`]);
    socket.destroy();
  });

  await t.test('what is no query ends the connection', async (t) => {
    for (const bytes of [Buffer.from('0000', 'hex'), framed(Buffer.alloc(5)), framed(Buffer.alloc(12, 0xff))]) {
      const socket = open();
      const ended = readAll(socket);
      socket.write(bytes);
      t.strictSame(await ended, Buffer.alloc(0));
    }
    const socket = open();
    const received = once(socket, 'data') as Promise<[Buffer]>;
    socket.write(framed(Buffer.concat([queryOf(web, 'A'), Buffer.alloc(65_000, 0xc0)])));
    t.equal(((await received)[0][5] ?? 0) & 15, 0, '64 KiB of it, and the question counts');
    socket.destroy();
  });

  await t.test('random bytes', async (t) => {
    let state = 20_210_113;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    for (let round = 0; round < 100; round += 1) {
      const socket = open();
      socket.on('error', () => {});
      const good = framed(queryOf(web, 'A', 1232));
      for (let piece = 0; piece < 5; piece += 1) {
        const bytes = Buffer.from(good);
        for (let n = 0; n < random() * 4; n += 1)
          bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
        socket.write(random() < 0.2 ? Buffer.alloc(Math.floor(random() * 70_000), Math.floor(random() * 256)) : bytes);
      }
      await new Promise((resolve) => setImmediate(resolve));
      socket.destroySoon();
    }
    t.strictSame(shortly((await server.ask(web)).answers), [`${web} 30 A 10.96.0.20`]);
    const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
    t.match(text, /proto="tcp"/);
    t.notMatch(text, /coredns_panics_total/);
  });

  await t.test('a flood of silent connections', async (t) => {
    const flood = Array.from({ length: 300 }, () => {
      const socket = open();
      socket.on('error', () => {});
      socket.on('connect', () => socket.write(Buffer.of(0)));
      return socket;
    });
    await eventually(
      () => flood.filter(({ closed }) => closed).length,
      (closed) => closed >= 172,
    );
    t.equal(flood.filter(({ closed }) => !closed).length, 128, 'the first of them make room');
    const socket = open();
    const received = once(socket, 'data') as Promise<[Buffer]>;
    socket.write(framed(queryOf(web, 'A')));
    t.strictSame(shortly(decode((await received)[0].subarray(2)).answers), [`${web} 30 A 10.96.0.20`]);
    t.equal((await server.ask(web)).rcode, 'NOERROR');
    for (const one of [...flood, socket]) one.destroy();
  });

  await server.stop();
  await api.close();
});
