import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createStatusGenerator } from '../../../../src/kubelet/status/status-generator.js';
import type { RuntimeContainer, RuntimePodStatus } from '../../../../src/kubelet/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const base: RuntimeContainer = {
  id: 'id',
  name: 'c0',
  podUid: 'u',
  sandboxId: 's',
  attempt: 0,
  state: 'exited',
  createdAtMs: 1000,
  startedAtMs: 1000,
  finishedAtMs: 2000,
  exitCode: 1,
  reason: 'Error',
  message: 'of the engine',
  image: 'i',
  imageId: 'docker://sha256:1',
  hash: 'h',
  pid: 0,
  logPath: '',
  tty: false,
  openStdin: false,
};

const podOf = (count: number): V1Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { restartPolicy: 'Never', containers: Array.from({ length: count }, (_, index) => ({ name: `c${index}` })) },
});

function makeScene(messages: Readonly<Record<string, string | Error>>) {
  const reads: string[] = [];
  const generate = createStatusGenerator({
    statuses: { get: () => undefined },
    probes: { result: () => undefined },
    files: {
      async readTerminationMessage(_pod, { id }, limitBytes) {
        reads.push(`${id} ${limitBytes}`);
        const message = messages[id] ?? '';
        if (message instanceof Error) throw message;
        return message;
      },
    },
    hostIps: ['192.0.2.7'],
    clock: makeManualClock(5000),
    minor: () => 20,
  });
  return {
    reads,
    async messages(pod: V1Pod, ...containers: readonly RuntimeContainer[]) {
      const runtime: RuntimePodStatus = { uid: 'u', name: 'p', namespace: 'ns', sandboxes: [], containers };
      const status = await generate(pod, runtime, new Map(), false);
      return status.containerStatuses?.map(({ state }) => state?.terminated?.message);
    },
  };
}

t.test('the termination message comes with the end, and is read once', async (t) => {
  const { messages, reads } = makeScene({ id: 'bye' });
  t.strictSame(await messages(podOf(1), base), ['bye']);
  t.strictSame(await messages(podOf(1), base), ['bye']);
  t.strictSame(reads, ['id 4096']);
});

t.test("without one, the engine's word", async (t) => {
  for (const answer of ['', new Error('gone')]) {
    const { messages, reads } = makeScene({ id: answer });
    t.strictSame(await messages(podOf(1), base), ['of the engine']);
    await messages(podOf(1), base);
    t.equal(reads.length, 1, 'not asked again');
  }
});

t.test('whose file is not read: what runs, what never ran', async (t) => {
  const { messages, reads } = makeScene({ id: 'bye' });
  await messages(podOf(1), { ...base, state: 'running', finishedAtMs: 0 });
  t.strictSame(await messages(podOf(1), { ...base, startedAtMs: 0 }), ['of the engine']);
  t.strictSame(reads, []);
});

t.test('many containers share what a status holds', async (t) => {
  const { messages, reads } = makeScene({});
  await messages(podOf(6), ...Array.from({ length: 6 }, (_, at) => ({ ...base, id: `id${at}`, name: `c${at}` })));
  t.strictSame(
    reads,
    Array.from({ length: 6 }, (_, at) => `id${at} 2048`),
  );
});
