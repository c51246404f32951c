import t from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import type { ProgressEvent } from '../../../../src/base/progress.js';
import { readResolved } from '../../../../src/mirror/copy/registry-reader.js';
import { type ResolveOptions, resolveImage } from '../../../../src/mirror/copy/resolve.js';
import { parseMirrors } from '../../../../src/mirror/mirror-spec.js';
import type { ManifestContent, RegistryClient } from '../../../../src/registry/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { blobOf, fakeClient, imageOf } from './copy-fakes.js';

const config = blobOf('{}');
const [right, other] = [imageOf(config, [blobOf('right')]), imageOf(config, [blobOf('other')])];
const notFound = () => new HyperupError('NotFound', 'manifest unknown');

/** What a host answers, by `PATH:TAG` or `PATH@DIGEST`; `hangs` until it is cut off. */
type Answers = Readonly<Record<string, ManifestContent | 'hangs'>>;

function clientsOf(hosts: Readonly<Record<string, Answers>>) {
  const asked: string[] = [];
  const clientFor = (host: string): RegistryClient =>
    fakeClient(host, {
      getManifest: async (path, name, options) => {
        asked.push(`${host}/${path}:${name}`);
        const answer = hosts[host]?.[path];
        if (answer === 'hangs') {
          return await new Promise((_, reject) => {
            options?.signal?.addEventListener('abort', () => reject(new HyperupError('Aborted', 'cut off')));
          });
        }
        if (answer === undefined) throw notFound();
        return answer;
      },
    });
  return { clientFor, asked };
}

async function resolve(
  reference: string,
  mirrors: readonly string[],
  hosts: Readonly<Record<string, Answers>>,
  options: ResolveOptions = {},
) {
  const events: ProgressEvent[] = [];
  const clients = clientsOf(hosts);
  const resolved = await resolveImage(reference, parseMirrors(mirrors), clients, {
    clock: makeManualClock(),
    emit: (event) => events.push(event),
    ...options,
  });
  return { resolved, events, asked: clients.asked, names: resolved.sources.map(({ name }) => name) };
}

t.test('the order of the user decides among those who answer', async (t) => {
  const hosts = {
    'a.invalid': { 'k8s/etcd': other },
    'b.invalid': { etcd: right },
    'k8s.gcr.io': { etcd: right },
  };
  const first = await resolve('k8s.gcr.io/etcd:3.4', ['a.invalid/k8s', 'b.invalid'], hosts);
  t.equal(first.resolved.root.digest, other.digest);
  t.same(first.names, ['a.invalid/k8s']);
  t.equal(first.resolved.pinned, false);
  t.same(
    first.events.map(
      (event) => event.type === 'note' && /mirrors disagree on k8s.gcr.io\/etcd:3.4/.test(event.message),
    ),
    [true, true],
  );
  const second = await resolve('k8s.gcr.io/etcd:3.4', ['b.invalid', 'a.invalid/k8s'], hosts);
  t.same(second.names, ['b.invalid', 'k8s.gcr.io'], 'all that have the same manifest serve its blobs');
});

t.test('a mirror is asked under both names, and serves under the first that has it', async (t) => {
  const { resolved, asked, events } = await resolve('registry.k8s.io/coredns/coredns:v1', ['m.invalid/x', 'none'], {
    'm.invalid': { 'x/coredns/coredns': right, 'x/coredns': other },
  });
  t.same(asked.toSorted(), ['m.invalid/x/coredns/coredns:v1', 'm.invalid/x/coredns:v1']);
  t.same(
    resolved.sources.map(({ reference }) => reference.path),
    ['x/coredns/coredns'],
  );
  t.same(events, [], 'another image under the flat name is no disagreement');
});

t.test('a pinned digest: any mirror will do, the slow ones are not waited for', async (t) => {
  const clock = makeManualClock();
  const hosts = { 'a.invalid': { etcd: 'hangs' }, 'b.invalid': { etcd: right }, 'c.invalid': { etcd: other } } as const;
  const lock = { digestOf: (reference: string) => (reference === 'k8s.gcr.io/etcd:3.4' ? right.digest : undefined) };
  const pending = resolve('k8s.gcr.io/etcd:3.4', ['a.invalid', 'b.invalid', 'c.invalid', 'none'], hosts, {
    lock,
    clock,
  });
  await clock.slept(1);
  await clock.advanceAndRun(250);
  const { resolved, names, asked, events } = await pending;
  t.equal(resolved.root.digest, right.digest);
  t.ok(resolved.pinned);
  t.same(names, ['b.invalid']);
  t.ok(
    asked.every((each) => each.endsWith(right.digest)),
    'asked by digest',
  );
  t.same(events, [], 'who has something else is no disagreement but a failure');
  t.match(resolved.failed, [
    { name: 'a.invalid', reason: /did not answer in time/ },
    { name: 'c.invalid', reason: new RegExp(`want ${right.digest} as pinned`) },
  ]);
});

t.test('what nobody has', async (t) => {
  const failure = await resolve('etcd:3.4', ['a.invalid', 'b.invalid'], {}).catch((error: unknown) => error);
  t.match(failure, {
    code: 'ImageUnavailable',
    message:
      /no source has it:\n {2}a\.invalid\/library\/etcd:3\.4: manifest unknown\n[\s\S]*docker\.io\/library\/etcd:3\.4/,
    details: { sources: [{ code: 'NotFound' }, {}, {}, {}, {}] },
  });
  await t.rejects(resolve('quay.io/a/b', ['aliyun', 'none'], {}), { message: /no mirror copies quay\.io/ });
  await t.rejects(resolve(`a/b:v1@${right.digest}`, [], {}, { lock: { digestOf: () => other.digest } }), {
    code: 'InvalidConfig',
    message: /against the lock/,
  });
});

t.test('what is below the root comes from the next source where one fails', async (t) => {
  const broken = fakeClient('a.invalid', {
    getManifest: async () => {
      throw new HyperupError('RegistryFailed', 'HTTP 500');
    },
    getBlob: async () => {
      throw notFound();
    },
  });
  const good = fakeClient('b.invalid', {
    getManifest: async () => other,
    getBlob: async () => {
      throw notFound();
    },
  });
  const reference = { domain: 'x.invalid', path: 'a', tag: 'v1' };
  const reader = readResolved({
    reference: 'x.invalid/a:v1',
    root: right,
    sources: [
      { name: 'A', reference, client: broken },
      { name: 'B', reference, client: good },
    ],
    pinned: false,
    failed: [],
  });
  t.equal((await reader.getManifest()).digest, right.digest);
  t.equal((await reader.getManifest(other.digest)).digest, other.digest);
  await t.rejects(reader.getManifest(config.digest), {
    code: 'ImageUnavailable',
    message: /A: HTTP 500\n {2}B: .*got/,
  });
  await t.rejects(reader.openBlob(config), { message: /A: manifest unknown\n {2}B: manifest unknown/ });
});
