import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { json, messages, startScriptedEngine } from './scripted-engine.js';

t.test('an engine that dies in the middle of an answer is gone, not silent', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /info', (_, response) => {
    response.writeHead(200, { 'Content-Length': '1000' });
    response.write('{"NCPU":', () => response.socket?.destroy());
  });
  server.on('POST /containers/a/wait', (_, response) => {
    response.writeHead(200);
    response.flushHeaders();
    setImmediate(() => response.socket?.destroy());
  });
  const engine = await server.connect();
  await test.rejects(engine.info(), { code: 'EngineUnreachable', message: /no connection to unix:/, hint: /stopped/ });
  await test.rejects(engine.waitContainer('a'), { code: 'EngineUnreachable' });
});

t.test('a short call has a limit, a wait has none', async (test) => {
  const server = await startScriptedEngine(test);
  const clock = makeManualClock();
  server.on('GET /info', () => clock.advance(30_000));
  server.on('POST /containers/a/wait', (_, response) => {
    clock.advance(86_400_000);
    json({ StatusCode: 4 })(_, response);
  });
  const engine = await server.connect(clock);
  await test.rejects(engine.info(), { code: 'Timeout', message: /30000 ms/ });
  test.equal(await engine.waitContainer('a'), 4);
  test.equal(clock.waiting, 0, 'no timer is left behind');
});

t.test('closing ends what is under way', async (test) => {
  const server = await startScriptedEngine(test);
  const engine = await server.connect();
  server.on('POST /containers/a/wait', () => engine.close());
  await test.rejects(engine.waitContainer('a'), { code: 'EngineUnreachable' });
});

t.test('a container that the engine is removing already is awaited', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('DELETE /containers/a', json({ message: 'removal of container a is already in progress' }, 409));
  const inspected = { Id: 'a', Name: '/a', State: { Status: 'removing' }, Config: { Image: 'i' }, Path: '/x' };
  server.on('GET /containers/a/json', json(inspected), json({ message: 'No such container: a' }, 404));
  const clock = makeManualClock();
  const engine = await server.connect({
    ...clock,
    sleep: async (ms, signal) => (ms < 1000 ? undefined : clock.sleep(ms, signal)),
  });
  test.equal(await engine.removeContainer('a'), true);
  test.equal(server.requests.filter((each) => each.includes('/json')).length, 2);
});

t.test('listed images are inspected, and one that vanished is not listed', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /images/json', json([{ Id: 'sha256:a' }, { Id: 'sha256:b' }]));
  server.on('GET /images/sha256:a/json', json({ message: 'No such image' }, 404));
  server.on(
    'GET /images/sha256:b/json',
    json({ Id: 'sha256:b', RepoTags: null, RepoDigests: ['<none>@<none>'], VirtualSize: 5 }),
  );
  const engine = await server.connect();
  test.same(await engine.listImages({ a: 'b' }), [
    { id: 'sha256:b', tags: [], digests: [], sizeBytes: 5, createdAt: '', architecture: '', labels: {}, layers: [] },
  ]);
  test.match(decodeURIComponent(server.requests[1] ?? ''), 'filters={"label":["a=b"]}');
});

const uploads = [
  { name: 'loadImage', path: 'POST /images/load', code: 'EngineFailed' },
  { name: 'importImage', path: 'POST /images/create', code: 'EngineFailed' },
  { name: 'buildImage', path: 'POST /build', code: 'EngineFailed' },
  { name: 'copyToContainer', path: 'PUT /containers/a/archive', code: 'EngineFailed' },
] as const;
for (const { name, path, code } of uploads) {
  t.test(`${name} rejects when its archive breaks off`, async (test) => {
    const server = await startScriptedEngine(test);
    server.on(path, (request) => request.resume());
    const engine = await server.connect();
    const work = async (archive: Readable) => {
      await starts[name](archive);
    };
    const starts = {
      loadImage: (tar: Readable) => engine.loadImage(tar),
      importImage: (tar: Readable) => engine.importImage(tar, 'a:1'),
      buildImage: (tar: Readable) => engine.buildImage(tar, { tag: 'a:1' }),
      copyToContainer: (tar: Readable) => engine.copyToContainer('a', '/', tar),
    };
    const cut = new PassThrough();
    cut.write('some');
    setImmediate(() => cut.destroy());
    await test.rejects(work(cut), { code, message: /the archive that was being sent broke off/ }, 'destroyed');
    const own = new HyperupError('DigestMismatch', 'of the source');
    const failing = new PassThrough();
    failing.write('some');
    setImmediate(() => failing.destroy(own));
    await test.rejects(work(failing), own, 'its own error is kept');
  });
}

t.test('an archive that breaks off when the answer has begun', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('POST /images/load', (request, response) => {
    request.resume();
    messages([{ stream: 'Loading layer' }], 'stay')(request, response);
  });
  const engine = await server.connect();
  for (const cause of [new Error('read error'), undefined]) {
    const tar = new PassThrough();
    tar.write('x');
    const loading = engine.loadImage(tar, { onLine: () => tar.destroy(cause) });
    const message = cause ? /broke off: read error/ : /broke off: Premature close/;
    await test.rejects(loading, { code: 'EngineFailed', message });
  }
});

t.test('a refused upload lets go of its source', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('PUT /containers/a/archive', json({ message: 'No such container: a' }, 404));
  const engine = await server.connect();
  const tar = new PassThrough();
  tar.write('x');
  await test.rejects(engine.copyToContainer('a', '/', tar), { code: 'NotFound' });
  test.ok(tar.destroyed);
});

t.test('loading', async (test) => {
  const server = await startScriptedEngine(test);
  const engine = await server.connect();
  const empty = () => Readable.from([Buffer.from('x')]);
  const loaded = [{ stream: 'Loaded image: a:1\n' }, { stream: 'Loaded image ID: sha256:12\n' }];
  server.on('POST /images/load', messages(loaded));
  test.same(await engine.loadImage(empty()), ['a:1', 'sha256:12']);
  server.on('POST /images/load', messages([...loaded, { errorDetail: { message: 'no space left on device' } }]));
  await test.rejects(
    engine.loadImage(empty()),
    { code: 'EngineFailed', hint: /disk/ },
    'an error after a good beginning',
  );
  server.on('POST /images/load', messages([]));
  await test.rejects(engine.loadImage(empty()), { code: 'EngineFailed', message: /found no image/ });
  server.on('POST /images/load', messages(loaded, 'break'));
  await test.rejects(engine.loadImage(empty()), { code: 'EngineUnreachable' });
});

t.test('building', async (test) => {
  const server = await startScriptedEngine(test);
  const engine = await server.connect();
  const context = () => Readable.from([Buffer.from('x')]);
  const lines: string[] = [];
  const output = [
    { stream: 'Step 1/2 : FROM a' },
    { stream: '\n' },
    { id: 'l', status: 'Pulling fs layer', progressDetail: {} },
    { id: 'l', status: 'Downloading', progressDetail: { current: 1, total: 2 } },
    { stream: ' ---> 12\nStep 2/2' },
  ];
  server.on('POST /build', messages([...output, { aux: { ID: 'sha256:12' } }]));
  const options = { tag: 'a:1', labels: { x: 'y' }, buildArgs: { V: '1' }, onLine: (line: string) => lines.push(line) };
  test.equal(await engine.buildImage(context(), options), 'sha256:12');
  test.same(lines, ['Step 1/2 : FROM a', 'l: Pulling fs layer', ' ---> 12', 'Step 2/2']);
  const query = new URL(server.requests.at(-1)?.replace('POST ', 'http://x') ?? '').searchParams;
  test.same(Object.fromEntries(query), {
    version: '1',
    t: 'a:1',
    rm: '1',
    forcerm: '1',
    labels: '{"x":"y"}',
    buildargs: '{"V":"1"}',
  });
  server.on('POST /build', messages([...output, { error: 'The command returned a non-zero code: 1' }]));
  const failed = {
    code: 'BuildFailed',
    message: 'build a:1: The command returned a non-zero code: 1',
    output: /Step 2\/2$/,
  };
  await test.rejects(engine.buildImage(context(), options), failed);
  server.on('POST /build', messages([{ error: 'write /x: no space left on device' }]));
  await test.rejects(engine.buildImage(context(), options), { code: 'EngineFailed', hint: /disk/ });
  server.on('POST /build', messages(output));
  await test.rejects(engine.buildImage(context(), options), { code: 'BuildFailed', message: /without an image/ });
  server.on('POST /build', messages(output, 'break'));
  await test.rejects(engine.buildImage(context(), options), { code: 'EngineUnreachable' });
});

t.test('a saved archive that breaks off is an error of its stream', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /images/get', (_, response) => {
    response.writeHead(200);
    response.write('half', () => response.socket?.destroy());
  });
  const engine = await server.connect();
  await test.rejects(text(await engine.saveImages(['a:1', 'b:2'])), { code: 'EngineUnreachable' });
  test.equal(server.requests.at(-1), 'GET /v1.41/images/get?names=a%3A1&names=b%3A2');
});

t.test('an archive that nobody reads is given up when it is destroyed', async (test) => {
  const server = await startScriptedEngine(test);
  let closed = () => {};
  const over = new Promise<void>((resolve) => {
    closed = resolve;
  });
  server.on('GET /images/get', (request, response) => {
    request.socket.once('close', closed);
    response.writeHead(200);
    response.write('begin');
  });
  const engine = await server.connect();
  (await engine.saveImages(['a:1'])).destroy();
  await over;
  test.equal(await server.connections(), 0);
});

t.test('the containerd image store is asked for the own platform', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /version', json({ Version: '29.1.0', ApiVersion: '1.52', MinAPIVersion: '1.44', Arch: 'amd64' }));
  server.on('GET /info', json({ OSType: 'linux', DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] }));
  server.on('GET /images/get', (_, response) => response.end('tar'));
  const engine = await server.connect();
  await text(await engine.saveImages(['a:1']));
  const platform = new URL(server.requests.at(-1)?.replace('GET ', 'http://x') ?? '').searchParams.get('platform');
  test.same(JSON.parse(platform ?? ''), { os: 'linux', architecture: 'amd64' });
});
