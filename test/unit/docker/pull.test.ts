import { once } from 'node:events';
import t from 'tap';
import type { PullProgress } from '../../../src/docker/types.js';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { json, messages, startScriptedEngine } from './scripted-engine.js';

const began = { status: 'Pulling from pause', id: '3.2' };
const layer = { id: 'a', status: 'Downloading', progressDetail: { current: 5, total: 10 } };
const done = { status: 'Status: Downloaded newer image for m:5000/pause:3.2' };

t.test('a pull that succeeds reports its bytes and asks for one tag', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('POST /images/create', messages([began, layer, { id: 'a', status: 'Pull complete' }, done]));
  const engine = await server.connect();
  const progress: PullProgress[] = [];
  await engine.pullImage('m:5000/pause:3.2', { onProgress: (each) => progress.push(each) });
  test.same(progress.at(-1), {
    currentBytes: 10,
    totalBytes: 10,
    status: 'Downloaded newer image for m:5000/pause:3.2',
  });
  test.equal(server.requests.at(-1), 'POST /v1.41/images/create?fromImage=m%3A5000%2Fpause&tag=3.2');
});

const failures = [
  {
    name: 'an error in the stream, after a good beginning',
    answer: messages([
      began,
      layer,
      { errorDetail: { message: 'received unexpected HTTP status: 503 Service Unavailable' }, error: 'x' },
    ]),
    code: 'RegistryFailed',
    message: /^pull m:5000\/pause:3.2: received unexpected HTTP status: 503/,
  },
  {
    name: 'an error without its detail',
    answer: messages([{ error: 'manifest unknown' }]),
    code: 'ImageUnavailable',
    message: /manifest unknown/,
  },
  {
    name: 'an error in the stream that ends well otherwise',
    answer: messages([began, { error: 'write /x: no space left on device' }, done]),
    code: 'EngineFailed',
    message: /no space left/,
  },
  {
    name: 'a stream that ends early',
    answer: messages([began, layer]),
    code: 'EngineUnreachable',
    message: /ended the pull without saying that it is done/,
  },
  { name: 'an empty stream', answer: messages([]), code: 'EngineUnreachable', message: /without saying/ },
  {
    name: 'a connection that breaks',
    answer: messages([began, layer], 'break'),
    code: 'EngineUnreachable',
    message: /no connection to unix:/,
  },
  {
    name: 'a refusal by status',
    answer: json({ message: 'manifest for m:5000/pause:3.2 not found: manifest unknown' }, 404),
    code: 'ImageUnavailable',
    message: /^pull m:5000\/pause:3.2: manifest for/,
  },
  {
    name: 'a stream that is not JSON',
    answer: (_: unknown, response: { end(text: string): unknown }) => response.end('<html>\n'),
    code: 'EngineFailed',
    message: /JSON/,
  },
];
for (const { name, answer, code, message } of failures) {
  t.test(`${name} rejects`, async (test) => {
    const server = await startScriptedEngine(test);
    server.on('POST /images/create', answer);
    const engine = await server.connect();
    await test.rejects(engine.pullImage('m:5000/pause:3.2'), { code, message });
  });
}

t.test('an engine that says nothing at all is a stall', async (test) => {
  const server = await startScriptedEngine(test);
  let asked: () => void = () => {};
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let closed: Promise<unknown> = Promise.resolve();
  server.on('POST /images/create', (request) => {
    closed = once(request.socket, 'close');
    asked();
  });
  const clock = makeManualClock();
  const engine = await server.connect(clock);
  const pull = engine.pullImage('m:5000/pause:3.2', { stallMs: 60_000 });
  pull.catch(() => {});
  await arrived;
  clock.advance(60_000);
  await test.rejects(pull, { code: 'Timeout', message: 'pull m:5000/pause:3.2: nothing heard for 60 s' });
  await closed;
  test.pass('and the request is closed');
});

t.test('a stall in the middle is counted from the last word', async (test) => {
  const server = await startScriptedEngine(test);
  const clock = makeManualClock();
  server.on('POST /images/create', (request, response) => {
    clock.advance(50_000);
    messages([began, layer], 'stay')(request, response);
  });
  const engine = await server.connect(clock);
  let heard: () => void = () => {};
  const word = new Promise<void>((resolve) => {
    heard = resolve;
  });
  let settled = false;
  const pull = engine.pullImage('m:5000/pause:3.2', { stallMs: 60_000, onProgress: () => heard() });
  pull.catch(() => {
    settled = true;
  });
  await word;
  clock.advance(10_000);
  await new Promise(setImmediate);
  clock.advance(49_999);
  await new Promise(setImmediate);
  test.notOk(settled, 'the limit from the request on is long over, the one from the word on is not');
  clock.advance(1);
  await test.rejects(pull, { code: 'Timeout' });
});

t.test('an abort ends the request', async (test) => {
  const server = await startScriptedEngine(test);
  const controller = new AbortController();
  let closed: Promise<unknown> = Promise.resolve();
  server.on('POST /images/create', (request, response) => {
    closed = once(request.socket, 'close');
    messages([began, layer], 'stay')(request, response);
  });
  const engine = await server.connect();
  const pull = engine.pullImage('m:5000/pause:3.2', {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await test.rejects(pull, { code: 'Aborted' });
  await closed;
  await test.rejects(engine.pullImage('x:1', { signal: controller.signal }), { code: 'Aborted' });
  test.equal(server.requests.filter((each) => each.includes('fromImage=x')).length, 0, 'nothing is begun');
});

t.test('credentials travel in their header alone', async (test) => {
  const server = await startScriptedEngine(test);
  let header = '';
  server.on('POST /images/create', (request, response) => {
    header = String(request.headers['x-registry-auth']);
    messages([done])(request, response);
  });
  const engine = await server.connect();
  const auth = { username: 'u', password: 'sécret', serveraddress: 'm:5000' };
  await engine.pullImage('m:5000/pause:3.2', { auth });
  test.same(JSON.parse(Buffer.from(header, 'base64url').toString()), auth);
  test.notMatch(server.requests.join(), 'cret');
});
