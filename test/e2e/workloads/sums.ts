import type { Test } from 'tap';
import { applyForTest, readManifest, type WorkloadContext } from './context.js';

/** A Job of three runs, to completion, with its logs. */
export async function sums(t: Test, context: WorkloadContext): Promise<void> {
  await applyForTest(t, context, await readManifest('sums.yaml'), 'app=sums');
  await context.run(['wait', '--for=condition=Complete', '--timeout=90s', 'job/sums']);
  const status = JSON.parse(await context.run(['get', 'job', 'sums', '-o', 'jsonpath={.status}'])) as object;
  t.match(status, { succeeded: 3 });
  t.notMatch(status, { failed: Number }, 'none failed');
  const pods = await context.pods('app=sums');
  t.same(
    pods.map(({ phase }) => phase),
    ['Succeeded', 'Succeeded', 'Succeeded'],
  );
  for (const { name } of pods) t.equal(await context.run(['logs', name]), 'sum 5050\n', `the log of ${name}`);
  t.equal(await context.run(['logs', 'job/sums']), 'sum 5050\n', "the log by the Job's name");
}
