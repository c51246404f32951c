import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { eventually, eventuallySee } from '../support/eventually.js';
import { httpGet } from '../support/http-get.js';
import { type WorkloadContext, workloadNamespace } from './context.js';

const image = 'test.hyperup.invalid/busybox:1';
const server = 'mkdir /www; echo hello >/www/index.html; echo serving; exec httpd -f -p 8080 -h /www';

/** What a user types in the first minutes: run, expose, logs, exec, describe, events, cp, port-forward. */
export async function everyday(t: Test, context: WorkloadContext): Promise<void> {
  t.teardown(() =>
    context.run([
      ...['delete', 'pod,service', 'hello', 'client'],
      ...['--ignore-not-found', '--grace-period=1', '--wait=false'],
    ]),
  );
  await context.run(['run', 'hello', `--image=${image}`, '--image-pull-policy=IfNotPresent', '--', 'sh', '-c', server]);
  await context.run(['wait', '--for=condition=Ready', '--timeout=60s', 'pod/hello']);
  await t.test('expose', (t) => expose(t, context));
  await t.test('logs', async (t) => {
    t.equal(await context.run(['logs', 'hello']), 'serving\n');
    t.equal(await context.run(['logs', '--tail=1', '--since=1h', '-l', 'run=hello']), 'serving\n');
  });
  await t.test('exec', (t) => exec(t, context));
  await t.test('describe and events', (t) => describeAndEvents(t, context));
  await t.test('cp', (t) => copy(t, context));
  const { startKubectl } = context.options;
  await t.test('port-forward', { skip: startKubectl ? false : 'no kubectl that runs on was given' }, (t) =>
    portForward(t, context),
  );
  await t.test('nodes', async (t) => {
    const nodes = await context.run(['get', 'nodes', '--no-headers']);
    t.match(nodes, /^\S+\s+Ready\s/);
    t.match(await context.run(['get', 'pods', '-o', 'wide']), /hello\s+1\/1\s+Running\s+0\s/);
  });
}

async function expose(t: Test, context: WorkloadContext): Promise<void> {
  await context.run(['expose', 'pod', 'hello', '--port=80', '--target-port=8080']);
  const address = (await context.run(['get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}'])).trim();
  await eventuallySee(
    'the Service to have an endpoint',
    () => context.run(['get', 'endpoints', 'hello', '-o', 'jsonpath={.subsets[*].addresses[*].ip}']),
    (addresses) => addresses.trim() !== '',
  );
  // The proxy writes its rules a moment after the endpoint is known.
  const fromNode = await eventually('the Service to answer', async () => ({
    done: true,
    value: await httpGet(`http://${address}/`, 2_000),
  }));
  t.same(fromNode, { status: 200, body: 'hello\n' }, 'reached from the node');
  // It asks only once kubectl is attached, which is when its stdin comes: what is said earlier kubectl doesn't show.
  const client = await context.run(
    [
      ...['run', 'client', '--rm', '-i', '--restart=Never', `--image=${image}`, '--image-pull-policy=IfNotPresent'],
      ...['--', 'sh', '-c', `read -r go && wget -q -O - http://${address}/`],
    ],
    'go\n',
  );
  t.match(client, /^hello$/m, 'reached from a pod');
}

async function exec(t: Test, context: WorkloadContext): Promise<void> {
  t.equal(await context.run(['exec', 'hello', '--', 'hostname']), 'hello\n');
  t.equal(await context.run(['exec', '-i', 'hello', '--', 'tr', 'a-z', 'A-Z'], 'loud\n'), 'LOUD\n', 'stdin goes in');
  const failed = await context.attempt(['exec', 'hello', '--', 'sh', '-c', 'echo bad >&2; exit 7']);
  t.equal(failed.exitCode, 7, 'the exit code comes back');
  t.match(failed.stderr, /^bad$/m, 'so does stderr');
  const large = await context.run(['exec', 'hello', '--', 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x']);
  t.equal(large.length, 3_000_000, 'nothing of a large output is lost');
}

async function describeAndEvents(t: Test, context: WorkloadContext): Promise<void> {
  const description = await context.run(['describe', 'pod', 'hello']);
  t.match(description, /Status:\s+Running/);
  t.match(description, new RegExp(`Image:\\s+${image}`));
  t.match(description, /Started container hello/, 'its events are shown');
  const about = ['get', 'events', '--field-selector=involvedObject.name=hello'];
  await eventuallySee(
    'the events of a started pod',
    () => context.run([...about, '-o', 'jsonpath={.items[*].reason}']),
    (reasons) => ['Scheduled', 'Pulled', 'Created', 'Started'].every((reason) => reasons.includes(reason)),
    15_000,
  );
  t.match(await context.run(about), /Started\s+pod\/hello\s+Started container hello/, 'as a user lists them');
}

async function copy(t: Test, context: WorkloadContext): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-cp-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'there'), 'and back\n');
  await context.run(['cp', join(folder, 'there'), 'hello:/tmp/there']);
  t.equal(await context.run(['exec', 'hello', '--', 'cat', '/tmp/there']), 'and back\n');
  await context.run(['cp', 'hello:/tmp/there', join(folder, 'back')]);
  t.equal(await readFile(join(folder, 'back'), 'utf8'), 'and back\n');
}

async function portForward(t: Test, context: WorkloadContext): Promise<void> {
  const { startKubectl } = context.options;
  if (!startKubectl) return;
  const lines: string[] = [];
  const forward = startKubectl(['-n', workloadNamespace, 'port-forward', 'pod/hello', ':8080'], (line) =>
    lines.push(line),
  );
  t.teardown(async () => {
    forward.kill('SIGINT');
    await forward.result;
  });
  const port = await eventually('port-forward to name its port', async () => {
    const [, number] = /127\.0\.0\.1:(\d+) -> 8080/.exec(lines.join('\n')) ?? [];
    return number ? { done: true, value: number } : { done: false, reason: lines.join('; ') };
  });
  for (const attempt of ['first', 'second']) {
    t.same(await httpGet(`http://127.0.0.1:${port}/`), { status: 200, body: 'hello\n' }, `${attempt} connection`);
  }
}
