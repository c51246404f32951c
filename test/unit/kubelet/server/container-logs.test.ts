import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { V1ContainerStatus, V1Pod } from '../../../../src/kube/pod-objects.js';
import { loggedContainerId } from '../../../../src/kubelet/server/log-container.js';
import { logTimeOf } from '../../../../src/kubelet/server/log-record.js';
import { ask, makeContainer, pod, startScene, until } from './server-scene.js';

const record = (log: string, second: number, stream = 'stdout', fraction = '.5') =>
  `${JSON.stringify({ log, stream, time: `2020-01-01T00:00:${String(second).padStart(2, '0')}${fraction}Z` })}\n`;

async function startLogScene(t: Tap, content: string) {
  const folder = await mkdtemp(join(tmpdir(), 'container-logs-'));
  const logPath = join(folder, 'json.log');
  await writeFile(logPath, content);
  const scene = await startScene({ container: makeContainer({ logPath }) });
  t.teardown(async () => {
    await scene.stop();
    await rm(folder, { recursive: true });
  });
  return { ...scene, logPath };
}
type Tap = { teardown(f: () => Promise<void>): void };

void t.test('what is sent', async (t) => {
  const content = [
    record('one\n', 1),
    record('two ', 2, 'stderr'),
    record('two\n', 2, 'stderr', '.500000001'),
    'not json\n',
    record('é\n', 3, 'stdout', ''),
    record('last', 4).slice(0, -1),
  ].join('');
  const scene = await startLogScene(t, content);
  const cases = [
    { query: '', want: 'one\ntwo two\né\nlast' },
    { query: 'tailLines=0', want: 'last' },
    { query: 'tailLines=1', want: 'é\nlast' },
    { query: 'tailLines=3', want: 'two\né\nlast' },
    { query: 'tailLines=99', want: 'one\ntwo two\né\nlast' },
    { query: 'tail=all&tailLines=1', want: 'one\ntwo two\né\nlast' },
    { query: 'tail=1', want: 'é\nlast' },
    { query: 'limitBytes=1', want: 'o' },
    { query: 'limitBytes=6', want: 'one\ntw' },
    { query: 'sinceTime=2020-01-01T00:00:02.500000001Z', want: 'two\né\nlast' },
    { query: 'sinceTime=2020-01-01T01:00:03%2B01:00', want: 'é\nlast' },
    { query: 'sinceSeconds=5', want: '' },
    {
      query: 'timestamps=true&tailLines=1',
      want: '2020-01-01T00:00:03.000000000Z é\n2020-01-01T00:00:04.500000000Z last',
    },
    { query: 'stream=Stderr', want: 'two two\n' },
    { query: 'follow=false&tailLines=0', want: 'last' },
  ];
  for (const { query, want } of cases) {
    const answer = await ask(scene.port, `/containerLogs/ns/web/app?${query}`);
    t.same([answer.status, answer.body], [200, want], query);
    t.match(answer.headers['content-type'], /text\/plain/);
  }
});

void t.test('what is refused', async (t) => {
  const scene = await startLogScene(t, '');
  const cases = [
    { path: 'ns/none/app', status: 404, body: 'pod "none" does not exist' },
    { path: 'ns/web/x', status: 404, body: 'container "x" not found in pod "web"' },
    { path: 'ns/web/app?tailLines=x', status: 400, body: '{"message": "Unable to decode query."}' },
    { path: 'ns/web/app?tailLines=-1', status: 422, body: '{"message": "Invalid request."}' },
    { path: 'ns/web/app?limitBytes=0', status: 422, body: '{"message": "Invalid request."}' },
    { path: 'ns/web/app?sinceTime=soon', status: 400, body: '{"message": "Unable to decode query."}' },
    { path: 'ns/web/app?previous=1', status: 400, body: 'previous terminated container "app" in pod "web" not found' },
  ];
  for (const { path, status, body } of cases)
    t.match(await ask(scene.port, `/containerLogs/${path}`), { status, body }, path);
  await rm(scene.logPath);
  t.match(await ask(scene.port, '/containerLogs/ns/web/app'), { status: 400, body: /read the log/ }, 'no file');
  await writeFile(scene.logPath, '');
});

void t.test('a tail over many blocks', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`);
  const scene = await startLogScene(t, lines.map((line) => record(line, 1)).join(''));
  for (const count of [1, 700, 5000, 20_000]) {
    const { body } = await ask(scene.port, `/containerLogs/ns/web/app?tailLines=${count}`);
    t.equal(body, lines.slice(-count).join(''), String(count));
  }
});

void t.test('followed, over a rotation, to its end', async (t) => {
  const scene = await startLogScene(t, record('one\n', 1));
  let body = '';
  let ended = false;
  const request = httpRequest({ host: '127.0.0.1', port: scene.port, path: '/containerLogs/ns/web/app?follow=true' });
  request.on('response', (response) => {
    response.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    response.on('end', () => {
      ended = true;
    });
  });
  request.end();
  await until(() => body === 'one\n');
  const half = record('two\n', 2);
  await appendFile(scene.logPath, half.slice(0, 20));
  await appendFile(scene.logPath, half.slice(20));
  await until(() => body === 'one\ntwo\n');
  await rename(scene.logPath, `${scene.logPath}.1`);
  await appendFile(`${scene.logPath}.1`, record('late\n', 3));
  await writeFile(scene.logPath, record('three\n', 4));
  await until(() => body === 'one\ntwo\nlate\nthree\n');
  t.notOk(ended);
  await appendFile(scene.logPath, record('four\n', 5));
  scene.state.container = { ...scene.state.container, state: 'exited' };
  await until(() => ended);
  t.equal(body, 'one\ntwo\nlate\nthree\nfour\n');
});

void t.test('whose log is meant', async (t) => {
  const terminated = (containerID?: string) => ({
    terminated: { exitCode: 1, ...(containerID === undefined ? {} : { containerID }) },
  });
  const cases: { name: string; status: Partial<V1ContainerStatus>; previous?: boolean; want: string | RegExp }[] = [
    { name: 'running', status: { state: { running: {} }, containerID: 'docker://a' }, want: 'a' },
    { name: 'ended', status: { state: terminated('docker://b') }, want: 'b' },
    { name: 'the former', status: { state: terminated(), lastState: terminated('docker://c') }, want: 'c' },
    {
      name: 'waiting after a crash',
      status: { state: { waiting: {} }, lastState: terminated('docker://d') },
      want: 'd',
    },
    {
      name: 'previous',
      status: { state: { running: {} }, lastState: terminated('docker://e') },
      previous: true,
      want: 'e',
    },
    { name: 'no id', status: { state: terminated() }, want: /container "app" in pod "web" is terminated$/ },
    {
      name: 'not yet',
      status: { state: { waiting: { reason: 'ContainerCreating' } } },
      want: /^container "app" in pod "web" is waiting to start: ContainerCreating$/,
    },
    { name: 'no image', status: { state: { waiting: { reason: 'ErrImagePull' } } }, want: /image can't be pulled$/ },
    { name: 'no state', status: {}, want: /no logs yet$/ },
  ];
  for (const { name, status, previous, want } of cases) {
    const whole: V1ContainerStatus = { name: 'app', ready: false, restartCount: 0, image: '', imageID: '', ...status };
    const subject: V1Pod = { ...pod, status: { containerStatuses: [whole] } };
    const id = () => loggedContainerId(subject, 'app', previous ?? false);
    if (typeof want === 'string') t.equal(id(), want, name);
    else t.throws(id, { message: want, status: 400 }, name);
  }
});

void t.test('times', async (t) => {
  t.equal(logTimeOf('2020-01-01T00:00:00Z'), '2020-01-01T00:00:00.000000000Z');
  t.equal(logTimeOf('2020-01-01T01:00:00.123+01:00'), '2020-01-01T00:00:00.123000000Z');
  t.equal(logTimeOf('yesterday'), undefined);
});
