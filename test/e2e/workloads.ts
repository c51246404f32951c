import type { Test } from 'tap';
import { kubectlOutput } from './support/kubectl.js';
import { podsGone, type WorkloadOptions, workloadContext, workloadNamespace } from './workloads/context.js';
import { database } from './workloads/database.js';
import { everyday } from './workloads/everyday.js';
import { rolling } from './workloads/rolling.js';
import { settings } from './workloads/settings.js';
import { sums } from './workloads/sums.js';
import { visitCounter } from './workloads/visit-counter.js';

export type { WorkloadOptions } from './workloads/context.js';

/**
 * Proves on a live cluster, through kubectl like a user, that real workloads run, and that all of them are gone after.
 * The images of `support/test-images.ts` must be in the engine. Takes about two minutes.
 */
export async function runWorkloads(t: Test, options: WorkloadOptions): Promise<void> {
  const context = workloadContext(options);
  const whole = (args: readonly string[]) => kubectlOutput(options.kubectl, args);
  await whole(['create', 'namespace', workloadNamespace]);
  t.teardown(() => options.kubectl(['delete', 'namespace', workloadNamespace, '--ignore-not-found', '--timeout=120s']));

  const within = { timeout: 400_000 };
  await t.test('run, expose, logs, exec, describe, events', within, (t) => everyday(t, context));
  await t.test('a page on a host port and the Redis beside it', within, (t) => visitCounter(t, context));
  await t.test('a database and five servers that find it by its Service', within, (t) => database(t, context));
  await t.test('a Deployment, scaled and rolled', within, (t) => rolling(t, context));
  await t.test('a Job to completion', within, (t) => sums(t, context));
  await t.test('a ConfigMap and a Secret as environment and as files', within, (t) => settings(t, context));

  await t.test('everything is gone again', within, async (t) => {
    await podsGone(context);
    const kinds = 'pods,services,replicationcontrollers,deployments,replicasets,jobs,endpoints';
    t.equal(await context.run(['get', kinds, '-o', 'name']), '', 'each test took its objects away');
    await whole(['delete', 'namespace', workloadNamespace, '--timeout=120s']);
    const left = await options.kubectl(['get', 'namespace', workloadNamespace]);
    t.match(left, { exitCode: 1, stderr: /NotFound/ }, 'so is the namespace');
  });
}
