import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Cluster } from '../lifecycle/verbs.js';
import { faultScale } from '../support/fault-scale.js';
import {
  controlPlaneIds,
  killKubelet,
  makeScene,
  podOf,
  removeLater,
  type Scene,
  type SeenPod,
  waiting,
} from './scene.js';

const steady = ['steady-0', 'steady-1', 'steady-2', 'steady-3', 'steady-4', 'steady-5'];
const podCount = 40;

/** The engine waits longer before each restart of a container, until one has run for ten seconds. */
const killsInARow = 3;
const calmMs = 10_500;

/** How a pod comes and goes, and what must have become of it. */
interface Fate {
  readonly pod: (name: string) => object;
  /** It is deleted a few kills later. */
  readonly deleted?: boolean;
  readonly ended?: (pod: SeenPod) => boolean;
  /** What its runs have written, a line each. */
  readonly runs: readonly string[];
}

const volumeMounts = [{ name: 'runs', mountPath: '/runs' }];
const write = (what: string) => `echo ${what} >>/runs/$POD`;

/** Pods write each run of theirs into a folder of the host's. */
function fates(folder: string): readonly Fate[] {
  const writing = (
    name: string,
    script: string,
    restartPolicy: 'Always' | 'OnFailure' | 'Never',
    spec: object = {},
  ) => {
    const env = [{ name: 'POD', value: name }];
    const volumes = [
      { name: 'runs', hostPath: { path: folder } },
      { name: 'scratch', emptyDir: {} },
    ];
    const mounts = [...volumeMounts, { name: 'scratch', mountPath: '/scratch' }];
    return podOf(name, { script, restartPolicy, container: { env, volumeMounts: mounts }, spec: { volumes, ...spec } });
  };
  const init = (name: string, of: string) => ({
    ...{ name, image: 'test.hyperup.invalid/busybox:1', imagePullPolicy: 'IfNotPresent', volumeMounts },
    ...{ command: ['sh', '-c', write(name)], env: [{ name: 'POD', value: of }] },
  });
  return [
    {
      pod: (name) => writing(name, `${write('main')}; sleep 1`, 'Never'),
      ended: ({ phase, exitCode, restarts }) => phase === 'Succeeded' && exitCode === 0 && restarts === 0,
      runs: ['main'],
    },
    {
      pod: (name) => writing(name, `${write('main')}; exit 3`, 'Never'),
      ended: ({ phase, exitCode, restarts }) => phase === 'Failed' && exitCode === 3 && restarts === 0,
      runs: ['main'],
    },
    {
      pod: (name) =>
        writing(name, `${write('main')}; test -e /scratch/seen || { touch /scratch/seen; exit 1; }`, 'OnFailure'),
      ended: ({ phase, restarts }) => phase === 'Succeeded' && restarts === 1,
      runs: ['main', 'main'],
    },
    {
      pod: (name) =>
        writing(name, `${write('main')}; ${waiting}`, 'Always', {
          initContainers: [init('first', name), init('second', name)],
        }),
      ended: ({ phase, ready, restarts }) => phase === 'Running' && ready && restarts === 0,
      runs: ['first', 'second', 'main'],
    },
    { pod: (name) => writing(name, waiting, 'Always'), deleted: true, runs: [] },
  ];
}

/** The kubelet is killed again and again while pods come and go. */
export async function killedAgainAndAgain(t: Test, cluster: Cluster): Promise<void> {
  const scene = await makeScene(t, cluster, 'hyperup-kills');
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-runs-'));
  removeLater(t, folder);
  await scene.apply(steady.map((name) => podOf(name)));
  await scene.untilPods('the steady pods to be Ready', steady, ({ ready }) => ready);
  const before = { steady: await scene.ids(steady), controlPlane: await controlPlaneIds() };
  t.equal(Object.keys(before.steady).length, steady.length);

  const all = fates(folder);
  const names = Array.from({ length: podCount }, (_, index) => `comer-${index}`);
  const fateOf = (name: string) => all[names.indexOf(name) % all.length] as Fate;
  const perKill = Math.ceil(podCount / faultScale.kills);
  let deleted: string[] = [];
  for (let kill = 0; kill < faultScale.kills; kill += 1) {
    const wave = names.slice(kill * perKill, (kill + 1) * perKill);
    if (wave.length > 0) await scene.apply(wave.map((name) => fateOf(name).pod(name)));
    const leaving = names.slice(0, kill * perKill).filter((name) => fateOf(name).deleted && !deleted.includes(name));
    if (leaving.length > 0) await scene.run(['delete', 'pod', '--wait=false', ...leaving]);
    deleted = [...deleted, ...leaving];
    // At another moment of their starts and ends each time.
    await sleep((kill * 370) % 1500);
    await killKubelet();
    if (kill % killsInARow === killsInARow - 1) await sleep(calmMs);
  }
  const last = names.filter((name) => fateOf(name).deleted && !deleted.includes(name));
  if (last.length > 0) await scene.run(['delete', 'pod', '--wait=false', ...last]);

  for (const fate of all) {
    const mine = names.filter((name) => fateOf(name) === fate);
    const { ended } = fate;
    if (ended) await scene.untilPods(`${mine.join(', ')} to end as specified`, mine, ended, 180_000);
    else await scene.untilGone(mine, 120_000);
    for (const name of mine) t.same(await runsOf(folder, name), fate.runs, `${name} ran as often as it should`);
  }
  t.same(await scene.ids(steady), before.steady, 'the steady pods have the containers that they had');
  await allSteady(t, scene);
  t.same(await controlPlaneIds(), before.controlPlane, 'so has the control plane');
  const left = await scene.containers();
  const running = left.filter(({ state }) => state === 'running').map(({ pod, container }) => `${pod}/${container}`);
  t.same(
    running.filter((name, index) => running.indexOf(name) !== index),
    [],
    'no container runs twice',
  );
  const unused = left.filter(({ state, container }) => state === 'created' && container !== 'POD');
  t.same(unused, [], 'none is left that was made and never started');
  await scene.leaveNothing(t);
}

async function allSteady(t: Test, scene: Scene): Promise<void> {
  const pods = await scene.pods();
  for (const name of steady) t.match(pods.get(name), { phase: 'Running', ready: true, restarts: 0 }, name);
}

async function runsOf(folder: string, name: string): Promise<readonly string[]> {
  if (!(await readdir(folder)).includes(name)) return [];
  return (await readFile(join(folder, name), 'utf8')).split('\n').filter((line) => line !== '');
}
