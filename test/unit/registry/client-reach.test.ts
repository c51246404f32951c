import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFakeCertificates } from '../../fakes/fake-api-server-certs.js';
import { failureOf, makeClients, noProxies, startRegistryFor } from './test-clients.js';

const { server: identity, authority } = await makeFakeCertificates();
const caPem = authority.certPem;
const tls = { certPem: identity.certPem, keyPem: identity.keyPem };

t.test('a registry on this machine: HTTP or any certificate', async (t) => {
  const plain = await startRegistryFor(t);
  const secure = await startRegistryFor(t, { tls });
  const clients = makeClients(t);
  await clients.clientFor(plain.host).ping();
  await clients.clientFor(secure.host).ping();
  t.match(await failureOf(clients.clientFor(plain.host, 'https').ping()), {
    message: new RegExp(`${plain.host} does not speak TLS`),
    details: { kind: 'tls' },
  });
  t.match(await failureOf(clients.clientFor(secure.host, 'http').ping()), { code: 'RegistryFailed' });
});

interface Proxy {
  readonly host: string;
  /** `METHOD TARGET`. */
  readonly seen: readonly string[];
}

/** A proxy under which every name is that registry. */
async function startProxy(t: Test, target: string, denies?: number): Promise<Proxy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const port = Number(target.split(':')[1]);
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (denies !== undefined) {
      response.writeHead(denies).end();
      return;
    }
    const url = new URL(request.url ?? '');
    const upstream = connect(port, '127.0.0.1');
    upstream.write(`${request.method} ${url.pathname} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    sockets.add(upstream);
    upstream.pipe(response.socket as Socket);
  });
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    if (denies !== undefined) {
      client.end(`HTTP/1.1 ${denies} No\r\n\r\n`);
      return;
    }
    const upstream = connect(port, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

t.test('through a proxy', async (t) => {
  const secure = await startRegistryFor(t, { tls });
  const proxy = await startProxy(t, secure.host);
  const proxies = { ...noProxies, httpsProxy: `http://me:pa%20ss@${proxy.host}`, noProxy: 'direct.invalid' };

  const strict = makeClients(t, { proxies });
  t.match(await failureOf(strict.clientFor('reg.invalid').ping()), {
    code: 'RegistryFailed',
    details: { kind: 'tls' },
  });

  const trusting = makeClients(t, { proxies, isInsecure: () => true });
  await trusting.clientFor('reg.invalid').ping();
  t.equal(proxy.seen.at(-1), `CONNECT reg.invalid:443 Basic ${Buffer.from('me:pa ss').toString('base64')}`);

  const seen = proxy.seen.length;
  t.match(await failureOf(strict.clientFor('direct.invalid').ping()), { details: { kind: 'dns' } }, 'NO_PROXY');
  t.equal(proxy.seen.length, seen);
});

t.test('plain HTTP through a proxy, without a tunnel', async (t) => {
  const registry = await startRegistryFor(t);
  const proxy = await startProxy(t, registry.host);
  const clients = makeClients(t, { proxies: { ...noProxies, httpProxy: proxy.host } });
  await clients.clientFor('reg.invalid', 'http').ping();
  t.strictSame(proxy.seen, ['GET http://reg.invalid/v2/']);
});

t.test('a proxy that refuses', async (t) => {
  for (const [status, says] of [
    [403, /proxy 127\.0\.0\.1:\d+ refused to connect to reg\.invalid: HTTP 403/],
    [407, /proxy 127\.0\.0\.1:\d+ wants a login: HTTP 407/],
  ] as const) {
    const proxy = await startProxy(t, '127.0.0.1:1', status);
    const clients = makeClients(t, { proxies: { ...noProxies, httpsProxy: proxy.host } });
    t.match(await failureOf(clients.clientFor('reg.invalid').ping()), {
      code: 'RegistryFailed',
      message: says,
      details: { kind: 'proxy', host: 'reg.invalid' },
      hint: /HTTPS_PROXY/,
    });
  }
  const clients = makeClients(t, { proxies: { ...noProxies, httpsProxy: 'http://127.0.0.1:1' } });
  t.match(await failureOf(clients.clientFor('reg.invalid').ping()), {
    message: /proxy 127\.0\.0\.1:1 refused the connection/,
    details: { kind: 'proxy' },
  });
});

t.test('certificates that are trusted', async (t) => {
  const secure = await startRegistryFor(t, { tls });
  const proxy = await startProxy(t, secure.host);
  // What the certificate is for, beside loopback addresses.
  const host = 'kubernetes';
  const proxies = { ...noProxies, httpsProxy: proxy.host };
  const ping = (options: object, at = host) =>
    failureOf(
      makeClients(t, { proxies, ...options })
        .clientFor(at)
        .ping(),
    );
  t.match(await ping({}), { message: /signed by an authority that is not trusted here/ });
  t.equal(await ping({ extraCas: [caPem] }), undefined);
  t.match(await ping({ extraCas: [caPem] }, 'reg.invalid'), { message: /for another host/ });

  const certificateFolder = t.testdir({});
  await mkdir(join(certificateFolder, host));
  await writeFile(join(certificateFolder, host, 'ca.crt'), caPem);
  t.equal(await ping({ certificateFolder }), undefined, "Docker's certs.d");
  const bundle = join(certificateFolder, 'bundle.pem');
  await writeFile(bundle, caPem);
  t.equal(await ping({ caFiles: ['/nonexistent', bundle] }), undefined, "the system's bundle");
  await mkdir(join(certificateFolder, host, 'b.crt'));
  t.match(await ping({ certificateFolder }), { code: 'InvalidConfig', message: /kubernetes\/b\.crt/ });
});
