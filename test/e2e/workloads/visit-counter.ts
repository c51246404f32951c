import yaml from 'js-yaml';
import type { Test } from 'tap';
import { eventuallySee } from '../support/eventually.js';
import { httpGet } from '../support/http-get.js';
import { applyForTest, podsGone, readManifest, type WorkloadContext } from './context.js';

interface PodManifest {
  readonly spec: { readonly containers: readonly { readonly ports?: { hostPort?: number }[] }[] };
}

/** Two containers that share a network: a page on a port of the host, counting its visits in the Redis beside it. */
export async function visitCounter(t: Test, context: WorkloadContext): Promise<void> {
  const hostPort = context.options.hostPort ?? 80;
  const url = `http://${context.nodeAddress}:${hostPort}/`;
  const served = () =>
    httpGet(url, 2_000).then(
      ({ status }) => `answered ${status}`,
      () => 'refused',
    );
  t.equal(await served(), 'refused', `nobody serves ${url} before`);

  await t.test('counts its visits', async (t) => {
    await applyForTest(t, context, await manifestWith(hostPort), 'app=visit-counter');
    await context.run(['wait', '--for=condition=Ready', '--timeout=90s', 'pod/visit-counter']);
    t.same(await httpGet(url), { status: 200, body: 'visits: 1\n' });
    t.same(await httpGet(url), { status: 200, body: 'visits: 2\n' });
    const counted = await context.run(['exec', 'visit-counter', '-c', 'redis', '--', 'redis-cli', 'get', 'visits']);
    t.equal(counted.trim(), '2', 'Redis holds the count');
    const log = await context.run(['logs', 'visit-counter', '-c', 'page']);
    t.equal(log.match(/"GET \/ HTTP\/1\.1" 200/g)?.length, 2, "both visits are in the page's log");
    const [pod] = await context.pods('app=visit-counter');
    t.equal(pod?.restarts, 0, 'no container was restarted');
  });

  await podsGone(context, 'app=visit-counter');
  t.equal(await eventuallySee('the port to be free', served, (seen) => seen === 'refused', 15_000), 'refused');
}

/** The manifest on another port of the host. The rest is text that kubectl reads, with its own reading of numbers. */
async function manifestWith(hostPort: number): Promise<string> {
  const pod = yaml.load(await readManifest('visit-counter.yaml')) as PodManifest;
  for (const port of pod.spec.containers.flatMap(({ ports }) => ports ?? [])) port.hostPort = hostPort;
  return JSON.stringify(pod);
}
