import { createServer, type Socket } from 'node:net';
import type { Test } from 'tap';
import type { Cluster } from '../lifecycle/verbs.js';
import { eventuallySee } from '../support/eventually.js';
import { outputOf } from '../support/program.js';
import { makeScene, podOf, type Scene } from './scene.js';

/** Others come, are Ready and go in the time that such pods take where nothing hangs. */
async function othersComeAndGo(t: Test, scene: Scene, name: string): Promise<void> {
  const names = [0, 1, 2].map((index) => `${name}-${index}`);
  const started = performance.now();
  await scene.apply(names.map((other) => podOf(other)));
  await scene.untilPods('other pods to be Ready', names, ({ ready }) => ready, 20_000);
  await scene.run(['delete', 'pod', '--wait=false', ...names]);
  await scene.untilGone(names, 20_000);
  t.pass(`other pods came and went in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** A container that doesn't care for SIGTERM has its grace, no more, and nobody waits for it. */
export async function ignoresSigterm(t: Test, cluster: Cluster): Promise<void> {
  const scene = await makeScene(t, cluster, 'hyperup-stubborn');
  const script = 'trap "" TERM; while :; do sleep 1; done';
  await scene.apply([
    podOf('stubborn', { script, graceSeconds: 12 }),
    podOf('shortened', { script, graceSeconds: 600 }),
  ]);
  await scene.untilPods('the stubborn pods to be Ready', ['stubborn', 'shortened'], ({ ready }) => ready);
  const deletedAt = performance.now();
  const seconds = () => (performance.now() - deletedAt) / 1000;
  await scene.run(['delete', 'pod', '--wait=false', 'stubborn', 'shortened']);
  await othersComeAndGo(t, scene, 'other');
  if (seconds() < 11) t.ok((await scene.pods()).has('stubborn'), 'meanwhile it has its grace');
  await scene.run(['delete', 'pod', '--wait=false', '--grace-period=1', 'shortened']);
  await scene.untilGone(['shortened'], 20_000);
  await scene.untilGone(['stubborn'], 30_000);
  t.ok(seconds() >= 11, `it was gone after its grace: ${seconds().toFixed(1)} s`);
  t.ok(seconds() < 25, 'and not much later');
  await scene.leaveNothing(t);
}

/** Commands that never end: a probe's, a client's, a hook's. */
export async function endlessExec(t: Test, cluster: Cluster): Promise<void> {
  const scene = await makeScene(t, cluster, 'hyperup-endless');
  const exec = { exec: { command: ['sleep', '86399'] } };
  const probed = podOf('probed', { container: { readinessProbe: { ...exec, timeoutSeconds: 1, periodSeconds: 1 } } });
  const hooked = podOf('hooked', {
    container: { lifecycle: { postStart: { exec: { command: ['sleep', '86398'] } } } },
  });
  const stopped = podOf('stopped', {
    container: { lifecycle: { preStop: { exec: { command: ['sleep', '86397'] } } } },
    graceSeconds: 5,
  });
  await scene.apply([probed, hooked, stopped, podOf('client')]);
  await scene.untilPods('the pod to be Ready', ['client', 'stopped'], ({ ready }) => ready);
  await eventuallySee(
    'the probed pod to run',
    () => scene.ids(['probed']),
    (ids) => 'probed' in ids,
  );

  const running = scene.start(['-n', scene.namespace, 'exec', 'client', '--', 'sleep', '86396'], () => {});
  t.teardown(() => running.kill('SIGKILL'));
  await eventuallySee(
    'the command to run',
    () => processes('86396'),
    (count) => count === 1,
  );
  await othersComeAndGo(t, scene, 'other');
  t.equal(await scene.run(['exec', 'client', '--', 'echo', 'hello']), 'hello\n', 'other commands run beside it');
  t.notOk((await scene.pods()).get('probed')?.ready, 'a probe that never ends has failed');
  t.ok((await processes('86399')) <= 2, 'what has run out of time is ended');

  const names = ['client', 'probed', 'hooked', 'stopped'];
  await scene.run(['delete', 'pod', '--wait=false', ...names]);
  await scene.untilGone(names, 30_000);
  const { exitCode } = await running.result;
  t.not(exitCode, 0, "the client's command ended with its pod");
  await scene.leaveNothing(t);
}

/** How many processes of the host have that word on their command line. */
async function processes(word: string): Promise<number> {
  const text = await outputOf('ps', ['-eo', 'args']);
  return text.split('\n').filter((line) => line.startsWith('sleep ') && line.includes(word)).length;
}

/** Of the pulls that hang; more of them than run at once. */
const pulling = Array.from({ length: 6 }, (_, index) => `pulling-${index}`);

export interface SilentPulls {
  /** To be called last: by then they have been given up. */
  finish(t: Test): Promise<void>;
}

/** Begins pulls from a registry that takes connections and says nothing. */
export async function beginSilentPulls(t: Test, cluster: Cluster): Promise<SilentPulls> {
  const sockets = new Set<Socket>();
  const registry = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  const port = await new Promise<number>((resolve, reject) => {
    registry.once('error', reject);
    registry.listen(0, '127.0.0.1', () => {
      const address = registry.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  t.teardown(() => {
    registry.close();
    for (const socket of sockets) socket.destroy();
  });
  const scene = await makeScene(t, cluster, 'hyperup-pulls');
  await scene.apply(pulling.map((name, index) => podOf(name, { image: `127.0.0.1:${port}/never/answers-${index}:1` })));
  await eventuallySee(
    'the engine to ask the registry',
    async () => sockets.size,
    (count) => count > 0,
  );
  await othersComeAndGo(t, scene, 'other');
  const [first = '', ...rest] = pulling;
  await scene.run(['delete', 'pod', '--wait=false', first]);
  await scene.untilGone([first], 10_000);
  t.pass('a pod that waits for its image is deleted at once');
  return {
    async finish(t) {
      const refusals = /^(ErrImagePull|ImagePullBackOff)$/;
      await scene.untilPods('the pulls to be given up', rest, ({ waiting }) => refusals.test(waiting), 180_000);
      t.pass('the pulls have ended in ErrImagePull or ImagePullBackOff');
      const events = await scene.run(['get', 'events', '-o', 'jsonpath={.items[*].reason} {.items[*].message}']);
      t.match(events, /Failed to pull image/, 'the events say so');
      await scene.leaveNothing(t);
    },
  };
}
