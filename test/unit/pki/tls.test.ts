import { execFile } from 'node:child_process';
import { createSign, createVerify } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import t from 'tap';
import { systemClock } from '../../../src/base/clock.js';
import { ensurePki, type PkiBundle } from '../../../src/pki/ensure-pki.js';
import type { AuthorityName, LeafName } from '../../../src/pki/types.js';
import { testPlan } from './pki-scene.js';

const plan = testPlan();

/** One handshake with a server that wants a client certificate; what either side had against it. */
async function handshake(
  bundle: PkiBundle,
  parties: {
    server: LeafName;
    client: LeafName;
    serverTrusts: AuthorityName;
    clientTrusts: AuthorityName;
    host: string;
  },
): Promise<Record<string, unknown>> {
  const serverSide = bundle.identity(parties.server);
  const server = createServer({
    cert: serverSide.certPem,
    key: serverSide.keyPem,
    ca: bundle.authorityPem(parties.serverTrusts),
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  accepted.catch(() => {});
  server.on('tlsClientError', () => {});
  const clientSide = bundle.identity(parties.client);
  const socket = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    ...(/^[\d.]+$/.test(parties.host) ? {} : { servername: parties.host }),
    cert: clientSide.certPem,
    key: clientSide.keyPem,
    ca: bundle.authorityPem(parties.clientTrusts),
  });
  try {
    await once(socket, 'secureConnect');
    const [peer] = await accepted;
    if (!peer.authorized) return { serverError: String(peer.authorizationError) };
    return { user: peer.getPeerCertificate().subject.CN };
  } catch (error) {
    return { clientError: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    socket.destroy();
    server.close();
  }
}

t.test('certificates at work', async (t) => {
  const dir = join(t.testdir(), 'pki');
  const bundle = await ensurePki({ dir, plan, clock: systemClock });
  const good = {
    server: 'apiserver',
    client: 'admin',
    serverTrusts: 'ca',
    clientTrusts: 'ca',
    host: '127.0.0.1',
  } as const;
  const etcd = {
    server: 'etcd-server',
    client: 'apiserver-etcd-client',
    serverTrusts: 'etcd-ca',
    clientTrusts: 'etcd-ca',
    host: 'localhost',
  } as const;
  const cases = [
    { name: 'by address', parties: good, want: { user: 'kubernetes-admin' } },
    {
      name: 'by name',
      parties: { ...good, host: 'kubernetes.default.svc.cluster.local' },
      want: { user: 'kubernetes-admin' },
    },
    { name: 'API server to etcd', parties: etcd, want: { user: 'kube-apiserver-etcd-client' } },
    { name: 'etcd to etcd', parties: { ...etcd, client: 'etcd-peer', server: 'etcd-peer' }, want: { user: 'node-1' } },
    {
      name: 'API server to kubelet',
      parties: { ...good, server: 'kubelet', client: 'apiserver-kubelet-client', host: 'node-1' },
      want: { user: 'kube-apiserver-kubelet-client' },
    },
    {
      name: "health of the scheduler's own port",
      parties: { ...good, server: 'scheduler', client: 'hyperup-health' },
      want: { user: 'hyperup-health' },
    },
    {
      name: 'a name that the certificate lacks',
      parties: { ...good, host: 'elsewhere.example' },
      want: { clientError: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    },
    {
      name: 'a client that trusts another authority',
      parties: { ...good, clientTrusts: 'etcd-ca' },
      want: { clientError: 'SELF_SIGNED_CERT_IN_CHAIN' },
    },
    {
      name: "the cluster's admin is nobody to etcd",
      parties: { ...etcd, client: 'admin' },
      want: { serverError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    },
    {
      name: "the kubelet's serving certificate is no client's",
      parties: { ...good, client: 'kubelet' },
      want: { serverError: 'INVALID_PURPOSE' },
    },
    {
      name: "a client's certificate serves nobody",
      parties: { ...good, server: 'admin' },
      want: { clientError: 'INVALID_PURPOSE' },
    },
  ] as const;
  for (const { name, parties, want } of cases) t.strictSame(await handshake(bundle, parties), want, name);
});

t.test('openssl agrees', async (t) => {
  const dir = join(t.testdir(), 'pki');
  await ensurePki({ dir, plan, clock: systemClock });
  const run = promisify(execFile);
  const authorityPaths = { ca: 'ca.crt', 'etcd-ca': 'etcd/ca.crt', 'front-proxy-ca': 'front-proxy-ca.crt' };
  for (const spec of plan) {
    if (spec.kind !== 'leaf') continue;
    for (const usage of spec.usages) {
      const args = [
        'verify',
        '-x509_strict',
        '-purpose',
        `ssl${usage}`,
        '-CAfile',
        authorityPaths[spec.issuer],
        `${spec.path}.crt`,
      ];
      const { stdout } = await run('openssl', args, { cwd: dir });
      t.equal(stdout.trim(), `${spec.path}.crt: OK`, `${spec.name} as ${usage}`);
    }
  }
  await t.rejects(
    run('openssl', ['verify', '-CAfile', 'etcd/ca.crt', 'admin.crt'], { cwd: dir }),
    'and refuses the wrong authority',
  );
});

t.test('the service-account keys sign and verify as ES256 wants it', async (t) => {
  const dir = join(t.testdir(), 'pki');
  await ensurePki({ dir, plan, clock: systemClock });
  const key = await readFile(join(dir, 'sa.key'), 'utf8');
  t.match(key, /^-----BEGIN PRIVATE KEY-----/);
  const signature = createSign('sha256').update('token').sign({ key, dsaEncoding: 'ieee-p1363' });
  t.equal(signature.length, 64);
  const verify = createVerify('sha256').update('token');
  t.ok(verify.verify({ key: await readFile(join(dir, 'sa.pub'), 'utf8'), dsaEncoding: 'ieee-p1363' }, signature));
});
