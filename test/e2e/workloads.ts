import type { Test } from 'tap';
import { kubectlOutput } from './support/kubectl.js';
import { podsGone, type WorkloadOptions, workloadContext, workloadNamespace } from './workloads/context.js';
import { database } from './workloads/database.js';
import { everyday } from './workloads/everyday.js';
import { names as serviceNames } from './workloads/names.js';
import { rolling } from './workloads/rolling.js';
import { settings } from './workloads/settings.js';
import { sums } from './workloads/sums.js';
import { visitCounter } from './workloads/visit-counter.js';

export type { WorkloadOptions } from './workloads/context.js';

const workloads = {
  everyday: ['run, expose, logs, exec, describe, events', everyday],
  visitCounter: ['a page on a host port and the Redis beside it', visitCounter],
  database: ['a database and five servers that find it by its Service', database],
  names: ['pods that find each other by name', serviceNames],
  rolling: ['a Deployment, scaled and rolled', rolling],
  sums: ['a Job to completion', sums],
  settings: ['a ConfigMap and a Secret as environment and as files', settings],
} as const;

export type WorkloadName = keyof typeof workloads;

/**
 * Proves on a live cluster, through kubectl like a user, that real workloads run, and that all of them are gone after.
 * The images of `support/test-images.ts` must be in the engine. All of them take about two minutes.
 */
export async function runWorkloads(
  t: Test,
  options: WorkloadOptions,
  names: readonly WorkloadName[] = Object.keys(workloads) as WorkloadName[],
): Promise<void> {
  const context = workloadContext(options);
  const whole = (args: readonly string[]) => kubectlOutput(options.kubectl, args);
  await whole(['create', 'namespace', workloadNamespace]);
  t.teardown(() => options.kubectl(['delete', 'namespace', workloadNamespace, '--ignore-not-found', '--timeout=120s']));

  const within = { timeout: 400_000 };
  for (const name of names) {
    const [title, run] = workloads[name];
    await t.test(title, within, (t) => run(t, context));
  }

  await t.test('everything is gone again', within, async (t) => {
    await podsGone(context);
    const kinds = 'pods,services,replicationcontrollers,deployments,replicasets,jobs,endpoints';
    t.equal(await context.run(['get', kinds, '-o', 'name']), '', 'each test took its objects away');
    await whole(['delete', 'namespace', workloadNamespace, '--timeout=120s']);
    const left = await options.kubectl(['get', 'namespace', workloadNamespace]);
    t.match(left, { exitCode: 1, stderr: /NotFound/ }, 'so is the namespace');
  });
}
