import t, { type Test } from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import type { ProgressEvent } from '../../../../src/base/progress.js';
import { createKubeClient } from '../../../../src/kube/kube-client.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import type { BringOutcome } from '../../../../src/mirror/workloads/image-desk.js';
import { type WatchReport, watchWorkloads } from '../../../../src/mirror/workloads/watch-workloads.js';
import { sendStatus, startFakeApiServer } from '../../../fakes/fake-api-server.js';
import type { StoredObject } from '../../../fakes/fake-api-server-store.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

interface PodFacts {
  readonly image?: string;
  readonly reason?: string;
  readonly policy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly node?: string;
  readonly namespace?: string;
}

async function makeScene(t: Test) {
  const server = await startFakeApiServer();
  const kube = createKubeClient({ server: server.url, caPem: server.certificates.authority.certPem });
  t.teardown(async () => {
    await kube.close();
    await server.close();
  });
  const stop = new AbortController();
  const events: ProgressEvent[] = [];
  const asked: string[] = [];
  const listeners = new Set<() => void>();
  const clock = makeManualClock();
  const run = (given: {
    readonly once?: boolean;
    readonly namespaces?: readonly string[];
    readonly bring?: (reference: string) => BringOutcome;
  }): Promise<WatchReport> =>
    watchWorkloads({
      kube,
      nodeName: 'edge-1',
      namespaces: given.namespaces ?? [],
      once: given.once ?? false,
      bring: async (reference) => {
        asked.push(reference);
        return given.bring?.(reference) ?? { ok: true, from: 'mirror m.test/x', changed: true, sizeBytes: 2_000_000 };
      },
      emit: (event) => {
        events.push(event);
        for (const look of listeners) look();
      },
      clock,
      logger: silentLogger,
      signal: stop.signal,
      random: () => 0,
    });
  const put = (name: string, facts: PodFacts = {}) => {
    const { image = 'r.test/app:1', reason = 'ImagePullBackOff', policy = 'IfNotPresent', node = 'edge-1' } = facts;
    const namespace = facts.namespace ?? 'default';
    const pod: V1Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        nodeName: node,
        containers: [{ name: 'c', image, imagePullPolicy: policy }],
        imagePullSecrets: [{ name: 'mine' }],
      },
      status: {
        phase: 'Pending',
        containerStatuses: [
          { name: 'c', state: { waiting: { reason } }, ready: false, restartCount: 0, image, imageID: '' },
        ],
      },
    };
    const target = { collection: '/api/v1/pods', namespace, name, subresource: undefined };
    server.store.put(target, pod as unknown as StoredObject);
    return () => server.store.get(target);
  };
  /** Resolves at the first event that fits, seen already or to come. */
  const event = (fits: (event: ProgressEvent) => boolean) =>
    new Promise<ProgressEvent>((resolve) => {
      const look = () => {
        const found = events.find(fits);
        if (found) resolve(found);
      };
      listeners.add(look);
      look();
    });
  const patches = () => server.requests.filter(({ method }) => method === 'PATCH');
  return { server, run, put, event, events, asked, stop, patches };
}

t.test('once: what waits on this node now, and nothing else', async (t) => {
  const { run, put, asked, patches, server } = await makeScene(t);
  const read = put('web');
  put('web-2');
  put('elsewhere', { node: 'edge-2', image: 'r.test/other:1' });
  put('fine', { reason: 'ContainerCreating', image: 'r.test/fine:1' });
  const report = await run({ once: true });
  t.same(asked, ['r.test/app:1'], 'one fetch for both');
  t.match(report, {
    brought: 1,
    images: [{ reference: 'r.test/app:1', outcome: 'brought', detail: 'mirror m.test/x' }],
    refused: [],
  });
  t.same(report.images[0]?.pods, ['default/web', 'default/web-2']);
  t.same(
    patches().map(({ path }) => path.slice(path.lastIndexOf('/') + 1)),
    ['web', 'web', 'web-2', 'web-2'],
    'the kubelet is to look at both',
  );
  t.same(read()?.metadata['annotations'], {}, 'and nothing of it stays');
  t.notOk(
    server.requests.some(({ path }) => path.includes('secrets')),
    'pull secrets are not even read',
  );
});

const refusals: readonly (readonly [name: string, facts: PodFacts, remedy: string, hint: RegExp])[] = [
  ['policy Always', { policy: 'Always' }, 'always', /IfNotPresent/],
  ['policy Never', { policy: 'Never', reason: 'ErrImageNeverPull' }, 'never', /images import r\.test\/app:1/],
  ['a digest', { image: `r.test/app@sha256:${'a'.repeat(64)}` }, 'digest', /by a tag/],
  [
    'a digest of Docker Hub',
    { image: `nginx@sha256:${'a'.repeat(64)}` },
    'digest',
    /engine configure --registry-mirror/,
  ],
];

for (const [name, facts, remedy, hint] of refusals) {
  t.test(`once: ${name} is told with its remedy`, async (t) => {
    const { run, put, asked, events, patches } = await makeScene(t);
    put('web', facts);
    const report = await run({ once: true });
    t.same(asked, []);
    t.same(patches(), []);
    t.match(report.refused, [{ pod: 'default/web', container: 'c', remedy }]);
    t.match(
      events.find(({ type }) => type === 'note'),
      { level: 'warn', message: /default\/web/, hint },
    );
  });
}

t.test('once: why each source has not got it', async (t) => {
  const { run, put, events, patches } = await makeScene(t);
  put('web');
  const reasons = ['mirror m.test/app:1: failed: manifest unknown', 'upstream r.test/app:1: failed: no such host'];
  const report = await run({ once: true, bring: () => ({ ok: false, message: 'no source has it', reasons }) });
  t.match(report.images, [{ outcome: 'failed', reasons }]);
  const told = events.find((event) => event.type === 'step');
  t.match(told, { state: 'failed', detail: /wanted by default\/web\n {2}- mirror .*unknown\n {2}- upstream / });
  t.same(patches(), []);
});

t.test('watch: pods as they come to wait, until it is ended', async (t) => {
  const { run, put, event, asked, stop } = await makeScene(t);
  put('first', { namespace: 'shop' });
  put('other', { namespace: 'bar', image: 'r.test/bar:1' });
  const watching = run({ namespaces: ['shop', 'web'] });
  await event(({ type, ...rest }) => type === 'note' && /watching the pods of edge-1/.test(JSON.stringify(rest)));
  const isDone = (image: string) => (each: ProgressEvent) =>
    each.type === 'step' && each.state === 'done' && each.title === image;
  t.match(await event(isDone('r.test/app:1')), { detail: /mirror m\.test\/x, 2.* in the engine; for shop\/first/ });
  put('later', { namespace: 'web', image: 'r.test/later:1' });
  await event(isDone('r.test/later:1'));
  t.same(asked, ['r.test/app:1', 'r.test/later:1'], 'other namespaces are left alone');
  stop.abort();
  t.match(await watching, { brought: 2 });
});

t.test('an API server that does not answer is told at once', async (t) => {
  const { run, server } = await makeScene(t);
  server.on('GET /api/v1/pods', (_request, response) => sendStatus(response, 403, 'Forbidden', 'not you'));
  await t.rejects(run({}), { code: 'PermissionDenied' });
});

t.test('once: ended before it is through', async (t) => {
  const { run, put, stop } = await makeScene(t);
  put('web');
  await t.rejects(
    run({
      once: true,
      bring: () => {
        stop.abort();
        return { ok: false, message: 'aborted', reasons: [] };
      },
    }),
    { code: 'Aborted' },
  );
});
