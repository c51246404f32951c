import t from 'tap';
import { Dispatcher, MockAgent } from 'undici';
import { makeRegistryProbe, type ProbeTarget } from '../../../src/mirror/registry-probe.js';
import { makeManifestList, makeTinyImage, manifestListType, manifestType } from '../../fixtures/registry-image.js';

const image = await makeTinyImage('probed');
const plain: ProbeTarget = { reference: 'reg.example/a/b:v1', insecure: false, architecture: 'amd64' };

interface Answer {
  readonly origin?: string;
  readonly path: string;
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Only answered to requests with these headers. */
  readonly wants?: Readonly<Record<string, string>>;
  /** Only answered to requests without a token. */
  readonly anonymous?: boolean;
}

interface Case {
  readonly name: string;
  readonly target?: Partial<ProbeTarget>;
  /** In order; anything that is not here is refused, and all that is here must be asked for. */
  readonly answers: readonly Answer[];
  readonly want: object;
}

const ok: Answer = { path: '/v2/', status: 200, body: '{}' };
const served: Answer = {
  path: '/v2/a/b/manifests/v1',
  status: 200,
  body: image.manifest.bytes,
  headers: { 'content-type': manifestType, 'docker-content-digest': image.manifest.digest },
};
const size = image.config.bytes.length + image.layer.bytes.length;
const errorBody = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });
const list = makeManifestList([{ architecture: 'amd64', image }]);

const cases: readonly Case[] = [
  { name: 'served', answers: [ok, served], want: { ok: true, digest: image.manifest.digest, sizeBytes: size } },
  {
    name: 'served without a digest header',
    answers: [ok, { ...served, headers: {} }],
    want: { ok: true, digest: image.manifest.digest },
  },
  {
    name: 'a manifest list',
    answers: [
      ok,
      { ...served, body: list.bytes, headers: { 'content-type': manifestListType } },
      { ...served, path: `/v2/a/b/manifests/${image.manifest.digest}` },
    ],
    want: { ok: true, digest: list.digest, sizeBytes: size },
  },
  {
    name: 'the manifest is sent elsewhere',
    answers: [
      ok,
      { ...served, status: 307, body: '', headers: { location: 'https://pkg.example/v2/x/manifests/v1' } },
      { ...served, origin: 'https://pkg.example', path: '/v2/x/manifests/v1' },
    ],
    want: { ok: true },
  },
  {
    name: 'a redirect without end',
    answers: Array.from({ length: 6 }, () => ({ path: '/v2/', status: 302, headers: { location: '/v2/' } })),
    want: { ok: false, kind: 'notRegistry', reason: /redirects/ },
  },
  {
    name: 'a token for anyone',
    answers: [
      {
        ...ok,
        status: 401,
        headers: { 'www-authenticate': 'Bearer realm="https://auth.example/token",service="reg"' },
      },
      {
        origin: 'https://auth.example',
        path: '/token?service=reg&scope=repository%3Aa%2Fb%3Apull',
        status: 200,
        body: JSON.stringify({ token: 't1' }),
      },
      { ...served, wants: { authorization: 'Bearer t1' } },
    ],
    want: { ok: true },
  },
  {
    name: 'a token is wanted only with the manifest',
    answers: [
      ok,
      {
        ...served,
        status: 401,
        body: '',
        headers: { 'www-authenticate': 'Bearer realm="https://auth.example/token"' },
      },
      {
        origin: 'https://auth.example',
        path: '/token?scope=repository%3Aa%2Fb%3Apull',
        status: 200,
        body: JSON.stringify({ access_token: 't2' }),
      },
      { ...served, wants: { authorization: 'Bearer t2' } },
    ],
    want: { ok: true },
  },
  {
    name: 'a token stays with the registry that it is for',
    answers: [
      { ...ok, status: 401, headers: { 'www-authenticate': 'Bearer realm="https://auth.example/token"' } },
      {
        origin: 'https://auth.example',
        path: '/token?scope=repository%3Aa%2Fb%3Apull',
        status: 200,
        body: JSON.stringify({ token: 't3' }),
        anonymous: true,
      },
      { ...served, status: 307, headers: { location: 'https://pkg.example/m' }, wants: { authorization: 'Bearer t3' } },
      { ...served, origin: 'https://pkg.example', path: '/m', anonymous: true },
    ],
    want: { ok: true },
  },
  {
    name: 'no token for strangers',
    answers: [
      { ...ok, status: 401, headers: { 'www-authenticate': 'Bearer realm="https://auth.example/token"' } },
      { origin: 'https://auth.example', path: '/token?scope=repository%3Aa%2Fb%3Apull', status: 403, body: '{}' },
      { ...served, status: 401, body: errorBody('UNAUTHORIZED', 'authentication required'), headers: {} },
    ],
    want: {
      ok: false,
      kind: 'login',
      wholeHost: false,
      reason: /wants a login .*HTTP 401 \(authentication required\)/,
    },
  },
  {
    name: 'not there',
    answers: [ok, { ...served, status: 404, body: errorBody('MANIFEST_UNKNOWN', 'manifest unknown') }],
    want: { ok: false, kind: 'notFound', wholeHost: false, reason: 'reg.example has no a/b:v1 (manifest unknown)' },
  },
  {
    name: 'denied',
    answers: [ok, { ...served, status: 403, body: errorBody('DENIED', '') }],
    want: { ok: false, kind: 'login', reason: /HTTP 403/ },
  },
  {
    name: 'blocked as a whole',
    answers: [{ ...ok, status: 403 }],
    want: { ok: false, kind: 'login', wholeHost: true },
  },
  {
    name: 'out of order',
    answers: [{ ...ok, status: 503 }],
    want: { ok: false, kind: 'status', wholeHost: true, reason: 'reg.example is not working: HTTP 503' },
  },
  {
    name: 'too many requests',
    answers: [ok, { ...served, status: 429, body: errorBody('TOOMANYREQUESTS', 'slow down') }],
    want: { ok: false, kind: 'status', wholeHost: true, reason: /fewer requests: HTTP 429 \(slow down\)/ },
  },
  {
    name: 'no registry at all',
    answers: [{ ...ok, status: 404, body: 'nginx' }],
    want: { ok: false, kind: 'notRegistry', wholeHost: true },
  },
  {
    name: "a network's login page",
    answers: [{ ...ok, body: '<!DOCTYPE html><title> Hotel </title>', headers: { 'content-type': 'text/html' } }],
    want: { ok: false, kind: 'notRegistry', wholeHost: true, reason: /web page titled "Hotel"/ },
  },
  {
    name: 'a login page elsewhere',
    answers: [
      { ...ok, status: 302, headers: { location: 'https://portal.example/' } },
      { origin: 'https://portal.example', path: '/', status: 200, body: '<html>' },
    ],
    want: { ok: false, kind: 'notRegistry', reason: /web page at portal\.example/ },
  },
  {
    name: 'a page in the place of a manifest',
    answers: [ok, { ...served, body: '<html></html>', headers: { 'content-type': 'text/html; charset=utf-8' } }],
    want: { ok: false, kind: 'notRegistry' },
  },
  {
    name: 'a lie about the digest',
    answers: [ok, { ...served, headers: { 'docker-content-digest': `sha256:${'0'.repeat(64)}` } }],
    want: {
      ok: false,
      kind: 'digest',
      reason: `manifest is ${image.manifest.digest}, want sha256:${'0'.repeat(64)} as the registry says`,
    },
  },
  {
    name: 'not what is pinned',
    target: { reference: `reg.example/a/b@sha256:${'1'.repeat(64)}` },
    answers: [ok, { ...served, path: `/v2/a/b/manifests/sha256:${'1'.repeat(64)}` }],
    want: { ok: false, kind: 'digest', reason: /want sha256:1{64} as pinned/ },
  },
  {
    name: 'for other machines only',
    target: { architecture: 'arm64' },
    answers: [ok, { ...served, body: list.bytes, headers: {} }],
    want: { ok: false, kind: 'platform', reason: 'reg.example: it has nothing for linux/arm64, only linux/amd64' },
  },
  {
    name: 'plain HTTP where the engine allows it',
    target: { insecure: true },
    answers: [
      { ...ok, origin: 'http://reg.example' },
      { ...served, origin: 'http://reg.example' },
    ],
    want: { ok: true },
  },
  {
    name: 'TLS after all where plain HTTP is answered with 400',
    target: { insecure: true },
    answers: [{ ...ok, origin: 'http://reg.example', status: 400 }, ok, served],
    want: { ok: true },
  },
  {
    name: 'the scheme that the user wrote',
    target: { scheme: 'http' },
    answers: [
      { ...ok, origin: 'http://reg.example' },
      { ...served, origin: 'http://reg.example' },
    ],
    want: { ok: true },
  },
  {
    name: "Docker Hub's own host",
    target: { reference: 'docker.io/a/b:v1' },
    answers: [
      { ...ok, origin: 'https://registry-1.docker.io' },
      { ...served, origin: 'https://registry-1.docker.io' },
    ],
    want: { ok: true },
  },
];

const withoutToken = (headers: Record<string, string>) => headers.authorization === undefined;

function arranged(answers: readonly Answer[]): MockAgent {
  const agent = new MockAgent();
  agent.disableNetConnect();
  for (const { origin = 'https://reg.example', path, status, body = '', headers = {}, wants, anonymous } of answers) {
    agent
      .get(origin)
      .intercept({
        path,
        method: 'GET',
        ...(wants ? { headers: { ...wants } } : {}),
        ...(anonymous ? { headers: withoutToken } : {}),
      })
      .reply(status, body, { headers: { ...headers } });
  }
  return agent;
}

t.test('what a registry says', async (t) => {
  for (const { name, target, answers, want } of cases) {
    const agent = arranged(answers);
    const probe = makeRegistryProbe({ timeoutMs: 5000, dispatcher: agent });
    t.match(await probe.probe({ ...plain, ...target }, undefined), want, name);
    t.same(agent.pendingInterceptors(), [], `${name}: asked for all that was there`);
    await agent.close();
  }
});

t.test('a registry is asked whether it is one only once', async (t) => {
  const agent = arranged([{ ...ok, status: 503 }]);
  const probe = makeRegistryProbe({ timeoutMs: 5000, dispatcher: agent });
  const results = await Promise.all(
    ['a/b:v1', 'a/c:v1', 'd:v2'].map((name) => probe.probe({ ...plain, reference: `reg.example/${name}` }, undefined)),
  );
  for (const result of results) t.match(result, { ok: false, reason: /HTTP 503/ });
  await agent.close();
});

/** Takes every request and answers none. */
class SilentDispatcher extends Dispatcher {
  override dispatch(): boolean {
    return true;
  }
}

t.test('an abort ends the wait', async (t) => {
  const probe = makeRegistryProbe({ timeoutMs: 60_000, dispatcher: new SilentDispatcher() });
  t.teardown(() => probe.close());
  const controller = new AbortController();
  const asked = probe.probe(plain, controller.signal);
  controller.abort(new Error('user'));
  await t.rejects(asked, { code: 'Aborted' });
  await t.rejects(probe.probe(plain, controller.signal), { code: 'Aborted' });
});

t.test('closing ends what is under way', async (t) => {
  const probe = makeRegistryProbe({ timeoutMs: 60_000, dispatcher: new SilentDispatcher() });
  const asked = probe.probe(plain, undefined);
  await probe.close();
  t.match(await asked, { ok: false });
});
