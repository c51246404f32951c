import t from 'tap';
import { frame, json, startScriptedEngine } from './scripted-engine.js';

const inspected = (Tty: boolean) => json({ Id: 'c', Config: { Tty } });

t.test('the tail is asked for and given as text', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/json', inspected(false));
  server.on('GET /containers/c/logs', (_, response) => {
    response.write(frame(1, 'one\n'));
    response.write(frame(2, 'two\r\n'));
    response.end(frame(1, 'no end of line'));
  });
  const engine = await server.connect();
  test.equal(await engine.tailLogs('c', 3), 'one\ntwo\nno end of line\n');
  test.match(server.requests.at(-1), /logs\?stdout=1&stderr=1&follow=0&tail=3$/);
});

t.test('a terminal has no frames, even where its text looks like JSON', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/json', inspected(true));
  server.on('GET /containers/c/logs', (_, response) => response.end('{"a":1}'));
  const engine = await server.connect();
  test.equal(await engine.tailLogs('c', 1), '{"a":1}\n');
});

t.test('following ends with the container', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/json', inspected(false));
  server.on('GET /containers/c/logs', (_, response) => {
    response.write(frame(1, 'half a '));
    response.write(frame(2, 'error\n'));
    response.end(frame(1, 'line\nlast\n'));
  });
  const engine = await server.connect();
  const seen: string[] = [];
  await engine.followLogs('c', (line, stream) => seen.push(`${stream}: ${line}`), { tail: 5 });
  test.same(seen, ['stderr: error', 'stdout: half a line', 'stdout: last']);
});

t.test('following ends quietly by its signal', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/json', inspected(false));
  server.on('GET /containers/c/logs', (_, response) => {
    response.write(frame(1, 'line\n'));
  });
  const engine = await server.connect();
  const controller = new AbortController();
  await engine.followLogs('c', () => controller.abort(), { signal: controller.signal });
  await engine.followLogs('c', () => test.fail('nothing is read'), { signal: controller.signal });
  test.equal(server.requests.length, 3);
});

t.test('an engine that goes away while its log is followed is an error', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/json', inspected(false));
  server.on('GET /containers/c/logs', (_, response) => {
    response.write(frame(1, 'line\n'), () => response.socket?.destroy());
  });
  const engine = await server.connect();
  await test.rejects(
    engine.followLogs('c', () => {}),
    { code: 'EngineUnreachable' },
  );
});

t.test('a log in the middle of a frame is an error', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/json', inspected(false));
  server.on('GET /containers/c/logs', (_, response) => response.end(frame(1, 'line\n').subarray(0, 10)));
  const engine = await server.connect();
  await test.rejects(engine.tailLogs('c', 1), { code: 'EngineFailed', message: /in the middle of a piece/ });
});
