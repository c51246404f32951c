import type { Test } from 'tap';
import { eventuallySee } from '../support/eventually.js';
import { applyForTest, podsGone, readManifest, type WorkloadContext, workloadNamespace } from './context.js';

const domain = `${workloadNamespace}.svc.cluster.local`;

/** A pod finds others by their Services' names, as libc looks for them along the search path of its resolv.conf. */
export async function names(t: Test, context: WorkloadContext): Promise<void> {
  await applyForTest(t, context, await readManifest('names.yaml'), 'app=names');
  await context.run(['wait', '--for=condition=Ready', '--timeout=90s', 'pod', '-l', 'app=names']);
  const inClient = (...command: string[]) => context.run(['exec', 'names-client', '--', ...command]);
  const field = async (kind: string, name: string, path: string) =>
    (await context.run(['get', kind, name, '-o', `jsonpath={${path}}`])).trim();
  /** The first address under a name and what it is called whole. */
  const find = (name: string) =>
    eventuallySee(
      `the name ${name}`,
      async () => (await context.attempt(['exec', 'names-client', '--', 'getent', 'hosts', name])).stdout.trim(),
      (found) => found !== '',
      20_000,
    );

  await t.test('its resolv.conf names the DNS Service and the search path', async (t) => {
    const text = await inClient('cat', '/etc/resolv.conf');
    t.match(text, /^nameserver 10\.96\.0\.10$/m);
    t.match(text, new RegExp(`^search ${domain} svc\\.cluster\\.local cluster\\.local\\b`, 'm'));
    t.match(text, /^options .*ndots:5/m);
  });

  await t.test('redis answers by the name of its Service', async (t) => {
    const address = await field('service', 'redis', '.spec.clusterIP');
    for (const name of ['redis', `redis.${workloadNamespace}`, `redis.${domain}`, `redis.${domain}.`]) {
      t.equal((await find(name)).split(/\s+/)[0], address, name);
    }
    t.match(await inClient('redis-cli', '-h', 'redis', 'ping'), /PONG/);
  });

  await t.test('a headless Service leads to its pod, and so does the name of the pod in it', async (t) => {
    const address = await field('pod', 'names-store', '.status.podIP');
    for (const name of ['redis-direct', 'store.redis-direct'])
      t.equal((await find(name)).split(/\s+/)[0], address, name);
    t.match(await inClient('redis-cli', '-h', 'store.redis-direct', 'ping'), /PONG/);
  });

  await t.test('the API server has its name in every namespace, and what is not there has none', async (t) => {
    t.match(await find('kubernetes.default'), /^10\.96\.0\.1\s/);
    const missing = await context.attempt(['exec', 'names-client', '--', 'getent', 'hosts', `nothing.${domain}`]);
    t.equal(missing.exitCode, 2, 'getent says that it found none');
  });

  await context.run(['delete', 'pods,services', '-l', 'app=names', '--wait=false']);
  await podsGone(context, 'app=names');
}
