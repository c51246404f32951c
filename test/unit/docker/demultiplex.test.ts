import t from 'tap';
import { makeDemultiplexer } from '../../../src/docker/demultiplex.js';
import { frame } from './scripted-engine.js';

const whole = Buffer.concat([
  frame(1, 'out one\n'),
  frame(2, 'err\n'),
  frame(1, ''),
  frame(3, 'engine says\n'),
  frame(1, 'ünïcode and a long tail '.repeat(50)),
]);

function collect(chunks: readonly Uint8Array[], tty = false) {
  const demultiplexer = makeDemultiplexer(tty);
  const texts = { stdout: '', stderr: '' };
  const bytes: Record<'stdout' | 'stderr', Uint8Array[]> = { stdout: [], stderr: [] };
  for (const chunk of chunks) for (const { stream, data } of demultiplexer.push(chunk)) bytes[stream].push(data);
  for (const stream of ['stdout', 'stderr'] as const) texts[stream] = Buffer.concat(bytes[stream]).toString();
  return { ...texts, partial: demultiplexer.partial };
}

t.test('however the stream is cut, the same comes out', async (test) => {
  const want = {
    stdout: `out one\n${'ünïcode and a long tail '.repeat(50)}`,
    stderr: 'err\nengine says\n',
    partial: false,
  };
  for (const size of [1, 2, 3, 7, 8, 9, 64, 1000, whole.length]) {
    const chunks = [];
    for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
    test.same(collect(chunks), want, `in pieces of ${size}`);
  }
});

t.test('thousands of frames in one chunk', async (test) => {
  const many = Buffer.concat(Array.from({ length: 50_000 }, () => frame(1, 'x')));
  test.equal(collect([many]).stdout.length, 50_000);
});

t.test('a cut in the middle shows', async (test) => {
  test.equal(collect([whole.subarray(0, 4)]).partial, true, 'in a header');
  test.equal(collect([whole.subarray(0, 12)]).partial, true, 'in the data');
  test.equal(collect([whole.subarray(0, 8)]).partial, true, 'between header and data');
  test.equal(collect([frame(1, 'abc')]).partial, false, 'at the end of a frame');
});

t.test('with a terminal there are no frames', async (test) => {
  test.same(collect([whole], true).stdout, whole.toString());
});

t.test('what is no frame throws', async (test) => {
  test.throws(() => collect([Buffer.from('{"message":"not framed"}')]), { message: /not framed as expected/ });
});
