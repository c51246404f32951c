import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { networkFailure } from '../../../src/registry/network-failure.js';
import type { FailureKind } from '../../../src/registry/types.js';

function systemError(code: string, message = code): Error {
  return Object.assign(new Error(message), { code });
}

t.test('what a network error means', async (t) => {
  const cases: readonly {
    readonly name: string;
    readonly error: unknown;
    readonly kind: FailureKind;
    readonly says: RegExp;
    readonly certificate?: string;
  }[] = [
    {
      name: 'no such name',
      error: systemError('ENOTFOUND'),
      kind: 'dns',
      says: /^the name m\.example does not resolve \(ENOTFOUND\)$/,
    },
    { name: 'no name server', error: systemError('EAI_AGAIN'), kind: 'dns', says: /EAI_AGAIN/ },
    { name: 'nothing listens', error: systemError('ECONNREFUSED'), kind: 'refused', says: /^m\.example:5000 refused/ },
    { name: 'no route', error: systemError('ENETUNREACH'), kind: 'unreachable', says: /unreachable \(ENETUNREACH\)/ },
    { name: 'our time limit', error: new HyperupError('Timeout', 'x'), kind: 'timeout', says: /no answer within 5 s/ },
    { name: "the kernel's", error: systemError('ETIMEDOUT'), kind: 'timeout', says: /no answer within 5 s/ },
    { name: "undici's", error: systemError('UND_ERR_CONNECT_TIMEOUT'), kind: 'timeout', says: /no answer/ },
    {
      name: 'reset',
      error: systemError('ECONNRESET', 'read ECONNRESET'),
      kind: 'broken',
      says: /broke the connection off: read ECONNRESET/,
    },
    { name: 'something else', error: new Error('odd'), kind: 'broken', says: /odd/ },
    { name: 'not even an error', error: 'odd', kind: 'broken', says: /odd/ },
    {
      name: 'a stranger in between',
      error: systemError('SELF_SIGNED_CERT_IN_CHAIN'),
      certificate: 'issued by "Corp CA"',
      kind: 'tls',
      says: /not trusted here \(issued by "Corp CA"\)$/,
    },
    {
      name: 'unknown authority',
      error: systemError('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
      kind: 'tls',
      says: /not trusted here$/,
    },
    {
      name: "another host's",
      error: systemError('ERR_TLS_CERT_ALTNAME_INVALID'),
      kind: 'tls',
      says: /for another host/,
    },
    { name: 'expired', error: systemError('CERT_HAS_EXPIRED'), kind: 'tls', says: /expired .*clock/ },
    {
      name: 'plain HTTP',
      error: systemError('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number'),
      kind: 'tls',
      says: /plain HTTP/,
    },
    {
      name: 'another TLS fault',
      error: systemError('EPROTO', 'write EPROTO handshake failure'),
      kind: 'tls',
      says: /handshake/,
    },
    {
      name: "OpenSSL's long form",
      error: systemError(
        'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
        '80:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../deps/x.c:1601:SSL alert 40\n',
      ),
      kind: 'tls',
      says: /^m\.example:5000: TLS handshake failed: sslv3 alert handshake failure$/,
    },
    {
      name: 'an error an address, as Node gives for a name with several',
      error: new AggregateError([systemError('ECONNREFUSED'), systemError('ENETUNREACH')]),
      kind: 'refused',
      says: /refused/,
    },
    {
      name: 'wrapped',
      error: new TypeError('fetch failed', { cause: systemError('ECONNREFUSED') }),
      kind: 'refused',
      says: /refused/,
    },
  ];
  for (const { name, error, kind, says, certificate } of cases) {
    const failure = networkFailure(error, { host: 'm.example:5000', timeoutMs: 5000, certificate });
    t.equal(failure.kind, kind, name);
    t.match(failure.reason, says, name);
  }
});

t.test('a name that leads to this machine', async (t) => {
  const refused = (address: string) => Object.assign(systemError('ECONNREFUSED'), { address });
  const reason = (host: string, address: string) => networkFailure(refused(address), { host, timeoutMs: 1 }).reason;
  t.equal(
    reason('gcr.io', '127.0.0.1'),
    'gcr.io refused the connection (its name resolves to 127.0.0.1 here: filtered DNS?)',
  );
  t.equal(
    reason('gcr.io:5000', '0.0.0.0'),
    'gcr.io:5000 refused the connection (its name resolves to 0.0.0.0 here: filtered DNS?)',
  );
  t.equal(reason('gcr.io', '142.250.0.1'), 'gcr.io refused the connection');
  t.equal(reason('localhost:5000', '127.0.0.1'), 'localhost:5000 refused the connection');
  t.equal(reason('127.0.0.1:5000', '127.0.0.1'), '127.0.0.1:5000 refused the connection');
});

t.test("behind a proxy, the connection's failure is the proxy's", async (t) => {
  const proxy = new URL('http://user:SECRET@proxy.lan:3128');
  for (const [code, kind] of [
    ['ENOTFOUND', 'proxy'],
    ['ECONNREFUSED', 'proxy'],
    ['EHOSTUNREACH', 'proxy'],
    ['ECONNRESET', 'broken'],
    ['UND_ERR_CONNECT_TIMEOUT', 'timeout'],
  ] as const) {
    const failure = networkFailure(systemError(code), { host: 'gcr.io', timeoutMs: 1, proxy });
    t.equal(failure.kind, kind, code);
    t.notMatch(failure.reason, /SECRET/);
    if (kind === 'proxy') t.match(failure.reason, /proxy proxy\.lan(?::3128)?/);
  }
});
