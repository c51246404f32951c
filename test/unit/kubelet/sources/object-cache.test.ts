import t, { type Test } from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import type { V1Secret } from '../../../../src/kube/objects.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import type { WatchEvent } from '../../../../src/kube/watch-events.js';
import { createObjectCache } from '../../../../src/kubelet/sources/object-cache.js';
import { objectReferencesOf } from '../../../../src/kubelet/sources/object-references.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const secret = (version: string, part: Partial<V1Secret> = {}): V1Secret => ({
  metadata: { name: 's', namespace: 'shop', uid: 'x', resourceVersion: version },
  ...part,
});
const pod = (uid: string, ...secrets: string[]): V1Pod => ({
  metadata: { name: uid, namespace: 'shop', uid },
  spec: { containers: [], imagePullSecrets: secrets.map((name) => ({ name })) },
});

/** One secret on a server whose watch the test feeds. */
function scene(t: Test) {
  const clock = makeManualClock();
  const asked: string[] = [];
  const state: { found: V1Secret | undefined; listed: V1Secret | undefined; refusals: number; down: boolean } = {
    found: undefined,
    listed: undefined,
    refusals: 0,
    down: false,
  };
  let feed: ((event: WatchEvent<V1Secret>) => void) | undefined;
  const cache = createObjectCache({
    clock,
    random: () => 0,
    client: {
      async find<T>(ref: { kind: string }, key: { namespace?: string | undefined; name: string }) {
        asked.push(`get ${ref.kind} ${key.namespace}/${key.name}`);
        if (state.down) throw new HyperupError('ApiFailed', 'down');
        if (state.refusals > 0) {
          state.refusals -= 1;
          throw new HyperupError('PermissionDenied', 'no relationship found');
        }
        return state.found as T | undefined;
      },
      async listAll<T>(ref: { kind: string }, options: { fieldSelector?: string | undefined } = {}) {
        asked.push(`list ${ref.kind} ${options.fieldSelector}`);
        return { metadata: { resourceVersion: '1' }, items: state.listed ? [state.listed as T] : [] };
      },
      async *watch<T>(_ref: unknown, options: { signal?: AbortSignal | undefined } = {}) {
        asked.push('watch');
        const events: WatchEvent<V1Secret>[] = [];
        let wake = () => {};
        feed = (event) => {
          events.push(event);
          wake();
        };
        options.signal?.addEventListener('abort', () => wake());
        try {
          while (!options.signal?.aborted) {
            const event = events.shift();
            if (event) yield event as unknown as WatchEvent<T>;
            else await new Promise<void>((resolve) => (wake = resolve));
          }
        } finally {
          asked.push('watch ended');
        }
      },
    },
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const heard: string[] = [];
  cache.onChange((kind, namespace, name, uids) => heard.push(`${kind} ${namespace}/${name} ${uids.join()}`));
  t.teardown(() => cache.stop());
  return { cache, clock, asked, state, heard, turn, tell: (event: WatchEvent<V1Secret>) => feed?.(event) };
}

t.test('one request and one watch for all pods, until the last is gone', async (t) => {
  const { cache, asked, state, heard, turn, tell } = scene(t);
  state.found = secret('5');
  state.listed = secret('5');
  for (const uid of ['a', 'b', 'c']) cache.registerPod(pod(uid, 's'));
  t.strictSame(asked, [], 'nothing before somebody wants it');
  const read = await Promise.all([1, 2, 3].map(() => cache.secret('shop', 's')));
  t.ok(read.every((one) => one === state.found));
  await turn();
  t.strictSame(asked.splice(0), ['get Secret shop/s', 'list Secret metadata.name=s', 'watch']);
  t.strictSame(heard, [], 'the list says what was read');
  const changed = secret('6', { data: { a: 'Yg==' } });
  tell({ type: 'MODIFIED', object: changed });
  await turn();
  t.equal(await cache.secret('shop', 's'), changed);
  t.strictSame(heard.splice(0), ['Secret shop/s a,b,c']);
  cache.unregisterPod('a');
  cache.registerPod(pod('b'));
  await turn();
  t.strictSame(asked, [], 'c still has it');
  cache.unregisterPod('c');
  await turn();
  t.strictSame(asked.splice(0), ['watch ended']);
  await cache.secret('shop', 's');
  t.strictSame(asked, ['get Secret shop/s'], 'not kept for what nobody registered');
});

t.test('a refusal right after binding is tried again', async (t) => {
  const { cache, clock, state, asked, turn } = scene(t);
  state.found = secret('5');
  state.refusals = 2;
  cache.registerPod(pod('a', 's'));
  const read = cache.secret('shop', 's');
  await turn();
  await clock.advanceAndRun(100);
  await clock.advanceAndRun(200);
  t.equal(await read, state.found);
  t.strictSame(asked.slice(0, 3), Array(3).fill('get Secret shop/s'));
});

t.test('a refusal that stays', async (t) => {
  const { cache, clock, state, turn } = scene(t);
  state.refusals = 100;
  cache.registerPod(pod('a', 's'));
  const read = t.rejects(cache.secret('shop', 's'), { code: 'PermissionDenied' });
  for (let i = 0; i < 5; i += 1) {
    await turn();
    await clock.advanceAndRun(700);
  }
  await read;
  state.refusals = 0;
  state.found = secret('5');
  t.equal(await cache.secret('shop', 's'), state.found, "and isn't remembered");
});

t.test('what does not exist is asked for again; when it comes, pods are told', async (t) => {
  const { cache, state, asked, heard, turn, tell } = scene(t);
  cache.registerPod(pod('a', 's'));
  t.equal(await cache.secret('shop', 's'), undefined);
  t.equal(await cache.secret('shop', 's'), undefined);
  await turn();
  t.equal(asked.filter((one) => one.startsWith('get')).length, 2);
  tell({ type: 'ADDED', object: secret('9') });
  await turn();
  t.strictSame(heard.splice(0), ['Secret shop/s a']);
  t.equal((await cache.secret('shop', 's'))?.metadata?.resourceVersion, '9');
  tell({ type: 'DELETED', object: secret('10') });
  await turn();
  t.strictSame(heard, ['Secret shop/s a']);
  state.found = undefined;
  t.equal(await cache.secret('shop', 's'), undefined);
});

t.test("a list from the server's cache does not take back what was read", async (t) => {
  const { cache, state, turn } = scene(t);
  state.found = secret('5');
  state.listed = undefined;
  cache.registerPod(pod('a', 's'));
  await cache.secret('shop', 's');
  await turn();
  await turn();
  t.equal(await cache.secret('shop', 's'), state.found, 'it is not in the list yet');
  const older = scene(t);
  older.state.found = secret('5');
  older.state.listed = secret('4');
  older.cache.registerPod(pod('a', 's'));
  await older.cache.secret('shop', 's');
  await older.turn();
  t.equal(await older.cache.secret('shop', 's'), older.state.found);
  t.strictSame(older.heard, []);
});

t.test('immutable: no watch', async (t) => {
  const { cache, state, asked, turn } = scene(t);
  state.found = secret('5', { immutable: true });
  cache.registerPod(pod('a', 's'));
  await cache.secret('shop', 's');
  await cache.secret('shop', 's');
  await turn();
  t.strictSame(asked, ['get Secret shop/s']);
});

t.test('a server that is down: what is known still counts', async (t) => {
  const { cache, state } = scene(t);
  state.down = true;
  cache.registerPod(pod('a', 's'));
  await t.rejects(cache.secret('shop', 's'), { code: 'ApiFailed' });
  state.down = false;
  state.found = secret('5');
  await cache.secret('shop', 's');
  state.down = true;
  t.equal(await cache.secret('shop', 's'), state.found);
});

t.test('all references of a pod', async (t) => {
  const from = (n: number) => ({ configMapRef: { name: `c${n}` }, secretRef: { name: `s${n}` } });
  const key = (n: number) => ({
    name: 'E',
    valueFrom: { configMapKeyRef: { name: `c${n}`, key: 'k' }, secretKeyRef: { name: `s${n}`, key: 'k' } },
  });
  const found = objectReferencesOf({
    spec: {
      imagePullSecrets: [{ name: 's0' }, {}],
      initContainers: [{ name: 'i', envFrom: [from(1)] }],
      containers: [{ name: 'a', env: [key(2), { name: 'PLAIN', value: 'x' }], envFrom: [from(1)] }],
      ephemeralContainers: [{ name: 'e', env: [key(3)] }],
      volumes: [
        { name: 'v1', configMap: { name: 'c4' } },
        { name: 'v2', secret: { secretName: 's4' } },
        { name: 'v3', projected: { sources: [{ configMap: { name: 'c5' } }, { secret: { name: 's5' } }] } },
        { name: 'v4', emptyDir: {} },
      ],
    },
  });
  t.strictSame(found.map(({ name }) => name).sort(), [
    'c1',
    'c2',
    'c3',
    'c4',
    'c5',
    's0',
    's1',
    's2',
    's3',
    's4',
    's5',
  ]);
});
