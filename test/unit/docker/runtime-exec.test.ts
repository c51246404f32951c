import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { frame, json, startScriptedEngine } from './scripted-engine.js';

const head = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const plain = { command: ['/x', 'y'], stdin: false, tty: false };

/** An engine on which exec `e` in container `c` answers as told. */
async function prepare(test: Parameters<typeof startScriptedEngine>[0], answer: (socket: Socket) => void) {
  const server = await startScriptedEngine(test);
  const bodies: unknown[] = [];
  server.on('POST /containers/c/exec', async (request, response) => {
    bodies.push(JSON.parse(await text(request)));
    json({ Id: 'e' }, 201)(request, response);
  });
  server.on('POST /exec/e/start', (request) => answer(request.socket));
  return { server, bodies, engine: await server.connectRuntime() };
}

t.test('what comes in one piece with the header of the answer is not lost', async (test) => {
  const whole = Buffer.concat([Buffer.from(head), frame(1, 'out'), frame(2, 'err')]);
  const { engine, server, bodies } = await prepare(test, (socket) => socket.end(whole));
  server.on(
    'GET /exec/e/json',
    json({ Running: true, ExitCode: null, Pid: 42 }),
    json({ Running: true, ExitCode: 0, Pid: 42 }),
    json({ Running: false, ExitCode: 3, Pid: 42 }),
  );
  const exec = await engine.startExec('c', plain);
  test.equal(await exec.pid(), 42);
  test.same(await Promise.all([text(exec.stdout), text(exec.stderr)]), ['out', 'err']);
  await exec.ended;
  test.equal(await exec.exitCode(), 3, 'asked for until the engine knows it');
  test.equal(await exec.pid(), 0, 'it has ended');
  test.match(bodies, [{ AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: ['/x', 'y'] }]);
  test.match(bodies, [{ DetachKeys: /^ctrl-.,/ }], 'never ctrl-p ctrl-q');
});

t.test('a stream that is cut in a frame fails on every side, heard or not', async (test) => {
  const { engine } = await prepare(test, (socket) => {
    socket.write(head);
    socket.end(frame(1, 'not whole').subarray(0, 12));
  });
  const exec = await engine.startExec('c', plain);
  const cut = { code: 'EngineFailed', message: /cut off/ };
  await Promise.all([
    test.rejects(text(exec.stdout), cut),
    test.rejects(exec.ended, cut),
    test.rejects(exec.exitCode(), cut),
  ]);
  const unheard = await engine.startExec('c', plain);
  await new Promise((resolve) => unheard.stdout.once('close', resolve));
});

t.test('what is no frame', async (test) => {
  const { engine } = await prepare(test, (socket) => socket.end(`${head}no frames at all`));
  const exec = await engine.startExec('c', plain);
  await test.rejects(exec.ended, { code: 'EngineFailed', message: /not framed/ });
});

t.test('a terminal has no frames, and stderr ends at once', async (test) => {
  const { engine } = await prepare(test, (socket) => socket.end(`${head}everything`));
  const exec = await engine.startExec('c', { ...plain, tty: true });
  test.equal(await text(exec.stderr), '');
  test.equal(await text(exec.stdout), 'everything');
  await exec.ended;
});

t.test('an answer that is no upgrade', async (test) => {
  const cases = [
    { status: 409, code: 'Conflict', message: /Container c is not running/ },
    { status: 404, code: 'NotFound', message: /c is not running/ },
    { status: 200, code: 'EngineFailed', message: /want an upgraded connection/ },
  ];
  for (const { status, ...want } of cases) {
    const server = await startScriptedEngine(test);
    server.on('POST /containers/c/attach', json({ message: 'Container c is not running' }, status));
    const engine = await server.connectRuntime();
    await test.rejects(engine.attachContainer('c', { stdin: true, tty: false }), want, `HTTP ${status}`);
    test.match(server.requests.at(-1), /attach\?stream=1&stdin=1&stdout=1&stderr=1&detachKeys=ctrl-/);
  }
});

t.test('an engine that breaks the connection instead of an answer', async (test) => {
  const { engine } = await prepare(test, (socket) => socket.destroy());
  await test.rejects(engine.startExec('c', plain), { code: 'EngineUnreachable' });
});

t.test('a reader who gives one stream up does not hold the other', async (test) => {
  const large = 'x'.repeat(200_000);
  const { engine } = await prepare(test, (socket) => {
    socket.write(head);
    socket.end(Buffer.concat([frame(2, large), frame(1, large)]));
  });
  const exec = await engine.startExec('c', plain);
  exec.stderr.destroy();
  test.equal((await text(exec.stdout)).length, large.length);
  await exec.ended;
});

t.test('a caller who gives up after the end, with output unread, waits for nothing', async (test) => {
  const { engine, server } = await prepare(test, (socket) =>
    socket.end(Buffer.concat([Buffer.from(head), frame(1, 'x')])),
  );
  server.on('GET /exec/e/json', json({ Running: false, ExitCode: 0 }));
  const exec = await engine.startExec('c', plain);
  await new Promise((resolve) => exec.stderr.resume().once('end', resolve));
  exec.destroy();
  await exec.ended;
  test.equal(await exec.exitCode(), 0);
});

t.test('closing the engine ends what is under way', async (test) => {
  const closed = new Promise<void>((resolve) => {
    prepare(test, (socket) => {
      socket.once('close', () => resolve());
      socket.write(head);
    }).then(async ({ engine }) => {
      const exec = await engine.startExec('c', plain);
      engine.close();
      await test.rejects(exec.ended, { code: 'Aborted' });
    }, test.threw);
  });
  await closed;
});
