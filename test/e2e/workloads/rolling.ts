import type { Test } from 'tap';
import { eventuallySee } from '../support/eventually.js';
import { httpGet } from '../support/http-get.js';
import type { PodView } from '../support/kubectl.js';
import { applyForTest, podDeletionMs, readManifest, type WorkloadContext } from './context.js';

/** A Deployment that is scaled up and down, rolled to a new template, and rolled back. */
export async function rolling(t: Test, context: WorkloadContext): Promise<void> {
  await applyForTest(t, context, await readManifest('rolling.yaml'), 'app=rolling');
  await rolledOut(context);
  await inService(context, 1);

  await context.run(['scale', 'deployment/rolling', '--replicas=4']);
  await rolledOut(context);
  t.equal((await inService(context, 4)).length, 4, 'scaled up to four');

  await context.run(['scale', 'deployment/rolling', '--replicas=2']);
  const old = await inService(context, 2);
  t.same(await versions(old), ['version one', 'version one'], 'scaled down to two, which serve the first template');

  await context.run(['set', 'env', 'deployment/rolling', 'VERSION=two']);
  await rolledOut(context);
  const renewed = await inService(context, 2);
  t.same(await versions(renewed), ['version two', 'version two'], 'both serve the new template');
  const pods = await eventuallySee(
    'the pods of the old template to be gone',
    async () => (await context.pods('app=rolling')).map(({ name }) => name),
    (names) => names.length === 2,
    podDeletionMs,
  );
  t.same(
    pods,
    renewed.map(({ name }) => name),
    'nothing is left of the old template or of the scaling',
  );
  t.same(await replicaSetSizes(context), [0, 2], 'the old ReplicaSet is kept, empty');

  await context.run(['rollout', 'undo', 'deployment/rolling']);
  await rolledOut(context);
  t.same(await versions(await inService(context, 2)), ['version one', 'version one'], 'and back again');
}

async function rolledOut(context: WorkloadContext): Promise<void> {
  await context.run(['rollout', 'status', '--timeout=90s', 'deployment/rolling']);
}

/** The pods that are wanted, leaving out those on their way out. */
async function inService(context: WorkloadContext, count: number): Promise<readonly PodView[]> {
  return await eventuallySee(
    `${count} pods, all ready`,
    async () => (await context.pods('app=rolling')).filter(({ terminating }) => !terminating),
    (pods) => pods.length === count && pods.every(({ ready }) => ready),
  );
}

async function versions(pods: readonly PodView[]): Promise<readonly string[]> {
  return await Promise.all(pods.map(async ({ ip }) => (await httpGet(`http://${ip}:8080/`)).body.trim()));
}

async function replicaSetSizes(context: WorkloadContext): Promise<readonly number[]> {
  const sizes = await context.run(['get', 'rs', '-l', 'app=rolling', '-o', 'jsonpath={.items[*].status.replicas}']);
  return sizes
    .trim()
    .split(' ')
    .map(Number)
    .sort((a, b) => a - b);
}
