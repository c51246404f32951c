import t, { type Test } from 'tap';
import { createEventRecorder } from '../../../src/kube/event-recorder.js';
import { createKubeClient } from '../../../src/kube/kube-client.js';
import type { V1ObjectReference } from '../../../src/kube/objects.js';
import { resources } from '../../../src/kube/resource-ref.js';
import { sendStatus, startFakeApiServer } from '../../fakes/fake-api-server.js';
import { makeFakeCertificates } from '../../fakes/fake-api-server-certs.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

const certificates = await makeFakeCertificates();
const pod: V1ObjectReference = { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'u1' };
const node: V1ObjectReference = { kind: 'Node', name: 'node-1', uid: 'node-1' };

async function scene(t: Test) {
  const server = await startFakeApiServer({ certificates });
  const client = createKubeClient({ server: server.url, caPem: certificates.authority.certPem });
  const clock = makeManualClock(Date.UTC(2026, 0, 1));
  const recorder = createEventRecorder({ client, clock, source: { component: 'kubelet', host: 'node-1' } });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  /** As they were recorded: events of different objects are sent side by side. */
  const events = async () => {
    const serial = ({ metadata }: { metadata?: { name?: string } }) => metadata?.name?.split('.').at(-1) ?? '';
    return [...(await client.list(resources.events)).items].sort((a, b) => (serial(a) < serial(b) ? -1 : 1));
  };
  return { server, client, clock, recorder, events };
}

t.test('an event as kubectl shows it', async (t) => {
  const { recorder, events } = await scene(t);
  recorder.record(pod, 'Normal', 'Started', 'Started container app');
  recorder.record(node, 'Warning', 'NodeNotReady', 'oh no');
  await recorder.flush();
  const [first, second] = await events();
  t.match(first, {
    kind: 'Event',
    metadata: { name: /^web\.[0-9a-f]+$/, namespace: 'shop' },
    involvedObject: pod,
    type: 'Normal',
    reason: 'Started',
    message: 'Started container app',
    source: { component: 'kubelet', host: 'node-1' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    count: 1,
  });
  t.equal(second?.metadata?.namespace, 'default', 'what has no namespace is reported in default');
});

t.test('the same again is counted, anything else is not', async (t) => {
  const { client, clock, recorder, events } = await scene(t);
  recorder.record(pod, 'Warning', 'BackOff', 'restarting');
  clock.advance(10_000);
  recorder.record(pod, 'Warning', 'BackOff', 'restarting');
  recorder.record(pod, 'Warning', 'BackOff', 'restarting another');
  recorder.record({ ...pod, uid: 'u2' }, 'Warning', 'BackOff', 'restarting');
  await recorder.flush();
  const all = await events();
  t.strictSame(
    all.map(({ count, message }) => [count, message]),
    [
      [2, 'restarting'],
      [1, 'restarting another'],
      [1, 'restarting'],
    ],
  );
  t.equal(all[0]?.firstTimestamp, '2026-01-01T00:00:00Z');
  t.equal(all[0]?.lastTimestamp, '2026-01-01T00:00:10Z');
  const { name = '', namespace } = all[0]?.metadata ?? {};
  await client.delete(resources.events, { name, namespace });
  recorder.record(pod, 'Warning', 'BackOff', 'restarting');
  await recorder.flush();
  t.match(
    (await events()).at(-1),
    { count: 3, firstTimestamp: '2026-01-01T00:00:00Z' },
    'goes on after the first is gone',
  );
});

t.test('a flood is cut, one object at a time', async (t) => {
  const { clock, recorder, events } = await scene(t);
  for (let i = 0; i < 40; i += 1) recorder.record(pod, 'Warning', 'Flood', `drop ${i}`);
  recorder.record(node, 'Normal', 'Other', 'unhindered');
  await recorder.flush();
  t.equal((await events()).length, 26);
  clock.advance(2 * 300_000);
  for (let i = 0; i < 5; i += 1) recorder.record(pod, 'Warning', 'Flood', `later ${i}`);
  await recorder.flush();
  t.equal((await events()).length, 28);
});

t.test('a server that refuses costs the event and nothing else', async (t) => {
  const { server, recorder, events } = await scene(t);
  const create = 'POST /api/v1/namespaces/shop/events';
  server.on(create, (_, response) => sendStatus(response, 403, 'Forbidden', 'the namespace is terminating'), 1);
  recorder.record(pod, 'Normal', 'Lost', 'x');
  recorder.record(pod, 'Normal', 'Sent', 'x');
  await recorder.flush();
  t.strictSame(
    (await events()).map(({ reason }) => reason),
    ['Sent'],
  );
});

t.test('a slow answer holds up its own object only', async (t) => {
  const clock = makeManualClock();
  const started: string[] = [];
  const answers: (() => void)[] = [];
  const recorder = createEventRecorder({
    clock,
    source: { component: 'kubelet' },
    client: {
      create: (_ref, event) =>
        new Promise((resolve) => {
          const { involvedObject, reason } = event as { involvedObject?: V1ObjectReference; reason?: string };
          started.push(`${involvedObject?.name} ${reason}`);
          answers.push(() => resolve(event));
        }),
      patch: () => Promise.reject(new Error('nothing is counted here')),
    },
  });
  const about = (name: string): V1ObjectReference => ({ kind: 'Pod', namespace: 'shop', name, uid: name });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    recorder.record(about(name), 'Normal', 'One', 'x');
    recorder.record({ ...about(name), fieldPath: 'spec.containers{c}' }, 'Normal', 'Two', 'x');
  }
  await turn();
  t.strictSame(started.splice(0), ['a One', 'b One', 'c One', 'd One'], 'four at once, one an object');
  answers[1]?.();
  await turn();
  t.equal(started.length, 1);
  const flushed = recorder.flush();
  let answered = 2;
  answers[0]?.();
  while (answered < 10) {
    await turn();
    answers[answered]?.();
    answered += 1;
  }
  await flushed;
  t.equal(answers.length, 10);
});
