import t from 'tap';
import { makeManualClock } from '../../fakes/manual-clock.js';
import { frame, json, type ScriptedEngine, startScriptedEngine } from './scripted-engine.js';

/** The answer to exec's start: the raw stream, ended by the end of the connection, as the engine does it. */
function stream(server: ScriptedEngine, chunks: readonly Buffer[], then: () => void = () => {}) {
  server.on('POST /exec/e/start', (request) => {
    const { socket } = request;
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n');
    for (const chunk of chunks) socket.write(chunk);
    then();
    socket.end();
  });
}

async function prepare(test: Parameters<typeof startScriptedEngine>[0]) {
  const server = await startScriptedEngine(test);
  server.on('POST /containers/c/exec', json({ Id: 'e' }, 201));
  return server;
}

t.test('the exit code is read after the output ended, and again until the engine has it', async (test) => {
  const server = await prepare(test);
  stream(server, [frame(1, 'out'), frame(2, 'err'), frame(1, 'put\n')]);
  server.on(
    'GET /exec/e/json',
    json({ Running: true, ExitCode: null }),
    json({ Running: true, ExitCode: 0 }),
    json({ Running: false, ExitCode: 3 }),
  );
  const engine = await server.connect();
  const result = await engine.execInContainer('c', ['/x', 'y']);
  test.same(result, { exitCode: 3, stdout: 'output\n', stderr: 'err' });
  test.same(
    server.requests.slice(1).map((each) => each.replace('/v1.41', '')),
    ['POST /containers/c/exec?', 'POST /exec/e/start?', ...Array(3).fill('GET /exec/e/json?')],
  );
});

t.test('late output is not lost: the code is not asked for before the end', async (test) => {
  const server = await prepare(test);
  const order: string[] = [];
  server.on('POST /exec/e/start', (request) => {
    request.socket.write('HTTP/1.1 200 OK\r\n\r\n');
    request.socket.write(frame(1, 'first '));
    setImmediate(() => {
      order.push('end of output');
      request.socket.end(frame(1, 'last'));
    });
  });
  server.on('GET /exec/e/json', (request, response) => {
    order.push('exit code');
    json({ Running: false, ExitCode: 0 })(request, response);
  });
  const engine = await server.connect();
  test.equal((await engine.execInContainer('c', ['/x'])).stdout, 'first last');
  test.same(order, ['end of output', 'exit code']);
});

t.test('output that is cut off is an error, not a short success', async (test) => {
  const server = await prepare(test);
  stream(server, [frame(1, 'whole'), frame(1, 'not whole').subarray(0, 12)]);
  server.on('GET /exec/e/json', json({ Running: false, ExitCode: 0 }));
  const engine = await server.connect();
  await test.rejects(engine.execInContainer('c', ['/x']), { code: 'EngineFailed', message: /cut off/ });
});

t.test('an engine that goes away after the output is an error', async (test) => {
  const server = await prepare(test);
  stream(server, [frame(1, 'all')]);
  server.on('GET /exec/e/json', (request) => request.socket.destroy());
  const engine = await server.connect();
  await test.rejects(engine.execInContainer('c', ['/x']), { code: 'EngineUnreachable' });
});

t.test('a command that outlasts its limit', async (test) => {
  const server = await prepare(test);
  const clock = makeManualClock();
  server.on('POST /exec/e/start', (request) => {
    request.socket.write('HTTP/1.1 200 OK\r\n\r\n');
    clock.advance(700);
  });
  const engine = await server.connect(clock);
  await test.rejects(engine.execInContainer('c', ['/x'], { timeoutMs: 700 }), {
    code: 'Timeout',
    message: 'run /x in container c: no answer within 700 ms',
  });
});

t.test('a container that does not run', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('POST /containers/c/exec', json({ message: 'Container c is not running' }, 409));
  const engine = await server.connect();
  await test.rejects(engine.execInContainer('c', ['/x']), { code: 'Conflict', message: /is not running/ });
});
