import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { makeProcessStreams } from '../../../src/docker/process-streams.js';
import { frame } from './scripted-engine.js';

/** The streams of a process and the engine's side of their connection. */
async function prepare(test: Test) {
  const dir = await mkdtemp(join(tmpdir(), 'process-streams-'));
  const path = join(dir, 'engine.sock');
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(path);
  test.teardown(async () => {
    server.close();
    await rm(dir, { recursive: true });
  });
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  const toError = (error: unknown) => new HyperupError('EngineFailed', String(error));
  const [engine] = await accepted;
  return { engine, socket, streams: makeProcessStreams(socket, { tty: false, stdin: true, toError }) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

for (const pieceBytes of [50_000, 1_000]) {
  t.test(
    `input in pieces of ${pieceBytes} that the engine does not read waits; then all of it comes, in order`,
    async (test) => {
      const { engine, socket, streams } = await prepare(test);
      const { stdin } = streams;
      if (stdin === undefined) throw new Error('no input');
      const piece = Buffer.from('abcdefghi\n'.repeat(pieceBytes / 10));
      let written = 0;
      // What the system holds for the socket is filled first.
      for (let stuck = 0; stuck < 50; stuck = stdin.writableNeedDrain ? stuck + 1 : 0) {
        if (stuck === 0) {
          stdin.cork();
          for (let index = 0; index < 3; index++) stdin.write(piece);
          stdin.uncork();
          written += 3 * piece.length;
        }
        await turn();
      }
      const held = stdin.writableLength + socket.writableLength;
      test.ok(written < 4 << 20 && held < 512 * 1024, `${written} bytes were taken, ${held} are held`);
      stdin.end();
      const received = await text(engine.iterator({ destroyOnReturn: false }));
      test.equal(received.length, written);
      test.ok(received === piece.toString().repeat(written / piece.length), 'in order');
      engine.end(frame(1, 'bye'));
      test.equal(await text(streams.stdout), 'bye', 'its end leaves the output');
      streams.stderr.resume();
      await streams.ended;
    },
  );
}

t.test('output that nobody reads stops the engine', async (test) => {
  const { engine, socket, streams } = await prepare(test);
  const piece = frame(1, 'x'.repeat(50_000));
  let written = 0;
  for (let stuck = 0; stuck < 50; stuck = engine.writableNeedDrain ? stuck + 1 : 0) {
    if (stuck === 0) {
      engine.write(piece);
      written += 1;
    }
    await turn();
  }
  const held = streams.stdout.readableLength + socket.readableLength;
  test.ok(held < 512 * 1024, `${held} bytes are held`);
  engine.end();
  streams.stderr.resume();
  test.equal((await text(streams.stdout)).length, written * 50_000);
  await streams.ended;
});
