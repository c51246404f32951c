import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { untilHealthy } from '../lifecycle/components.js';
import type { Cluster } from '../lifecycle/verbs.js';
import { eventuallySee } from '../support/eventually.js';
import { faultScale } from '../support/fault-scale.js';
import { controlPlaneIds, killKubelet, makeScene, pidOf, podOf, removeLater } from './scene.js';

const manifest = '/etc/kubernetes/manifests/kube-apiserver.yaml';
const steady = ['steady-a', 'steady-b'];

/** The API server is taken away for a while: what runs runs on, what crashes is restarted, and all is told later. */
export async function apiServerAway(t: Test, cluster: Cluster): Promise<void> {
  const scene = await makeScene(t, cluster, 'hyperup-away');
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-away-'));
  removeLater(t, folder);
  const ends = podOf('ends', {
    script: 'until test -e /shared/end; do sleep 0.2; done',
    restartPolicy: 'Never',
    container: { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] },
    spec: { volumes: [{ name: 'shared', hostPath: { path: folder } }] },
  });
  const names = [...steady, 'crasher', 'ends'];
  await scene.apply([...[...steady, 'crasher'].map((name) => podOf(name)), ends]);
  await scene.untilPods('the pods to be Ready', names, ({ ready }) => ready);
  const before = await scene.ids(names);

  const aside = join(folder, 'kube-apiserver.yaml');
  const putBack = () => move(aside, manifest).catch(() => {});
  t.teardown(putBack);
  await move(manifest, aside);
  await eventuallySee('the API server to be gone', controlPlaneIds, (ids) => !('kube-apiserver' in ids));
  const goneAt = performance.now();
  t.not((await scene.kubectl(['--request-timeout=2s', 'get', 'pods'])).exitCode, 0, 'nobody answers');

  process.kill(await pidOf(before['crasher'] ?? ''), 'SIGKILL');
  await writeFile(join(folder, 'end'), '');
  const restarted = await eventuallySee(
    'the crashed container to be restarted without the API server',
    () => scene.ids(['crasher']),
    (ids) => ids['crasher'] !== undefined && ids['crasher'] !== before['crasher'],
  );
  await eventuallySee(
    'a pod to end',
    () => scene.ids(['ends']),
    (ids) => ids['ends'] === undefined,
  );
  await sleep(Math.max(0, faultScale.apiServerAwayMs - (performance.now() - goneAt)));
  t.same(await scene.ids(steady), pick(before, steady), 'the others have run on');
  await killKubelet();
  await sleep(5_000);
  t.same(await scene.ids([...steady, 'crasher']), { ...pick(before, steady), ...restarted }, 'a new kubelet ends none');

  await putBack();
  await eventuallySee('the API server', controlPlaneIds, (ids) => 'kube-apiserver' in ids);
  await untilHealthy('the cluster to be well again');
  await scene.untilPods('the restart to be told', ['crasher'], ({ ready, restarts }) => ready && restarts === 1);
  await scene.untilPods('the end to be told', ['ends'], ({ phase }) => phase === 'Succeeded');
  await scene.untilPods('the steady pods to be Ready', steady, ({ ready, restarts }) => ready && restarts === 0);
  t.same(await scene.ids(steady), pick(before, steady), 'and nothing was started anew');
  await scene.leaveNothing(t);
}

/** Also where folder and manifest are on two file systems; the kubelet never sees half of it (it skips names with a dot). */
async function move(from: string, to: string): Promise<void> {
  const half = join(dirname(to), '.half-moved');
  await copyFile(from, half);
  await rename(half, to);
  await rm(from);
}

function pick(ids: Readonly<Record<string, string>>, names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(ids).filter(([name]) => names.includes(name)));
}
