import t from 'tap';
import { makeLineSplitter } from '../../../src/docker/lines.js';

const cases = [
  { name: 'whole lines', chunks: ['a\nb\n'], want: ['a', 'b'] },
  { name: 'a line over chunks', chunks: ['a', 'b', 'c\nd'], want: ['abc', 'd'] },
  { name: 'CRLF, also cut in two', chunks: ['a\r', '\nb\r\n'], want: ['a', 'b'] },
  { name: 'empty lines stay', chunks: ['\n\na\n'], want: ['', '', 'a'] },
  { name: 'no end of line at the end', chunks: ['a\nb'], want: ['a', 'b'] },
  { name: 'nothing', chunks: [''], want: [] },
];
for (const { name, chunks, want } of cases) {
  t.test(name, async (test) => {
    const splitter = makeLineSplitter();
    const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
    test.same([...lines, ...splitter.end()], want);
  });
}

t.test('a character cut in two is one character', async (test) => {
  const splitter = makeLineSplitter();
  const bytes = Buffer.from('镜像\n');
  const lines = [...bytes].flatMap((byte) => splitter.push(Uint8Array.of(byte)));
  test.same(lines, ['镜像']);
});
