import { randomBytes } from 'node:crypto';
import t from 'tap';
import { mask, unmask } from '../../../../src/kubelet/server/websocket-mask.js';

/** Byte by byte, as RFC 6455 says it. */
function masked(source: Buffer, key: Buffer): Buffer {
  return Buffer.from(source.map((byte, index) => byte ^ (key[index % 4] ?? 0)));
}

t.test('every length at every place in its memory', async (t) => {
  const key = Buffer.of(0x01, 0xfe, 0x37, 0x80);
  for (let offset = 0; offset < 8; offset += 1) {
    for (const length of [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 1027]) {
      const memory = randomBytes(offset + length + 5);
      const part = memory.subarray(offset, offset + length);
      const around = [Buffer.from(memory.subarray(0, offset)), Buffer.from(memory.subarray(offset + length))];
      const want = masked(part, key);
      unmask(part, key);
      t.same(part, want, `${length} bytes at ${offset}`);
      t.same([memory.subarray(0, offset), memory.subarray(offset + length)], around, 'nothing around them is touched');
    }
  }
});

t.test('masking into another place, and in place', async (t) => {
  const key = randomBytes(4);
  const source = randomBytes(101);
  const output = Buffer.alloc(120, 7);
  mask(source, key, output, 13, 99);
  t.same(output.subarray(13, 112), masked(source.subarray(0, 99), key));
  t.same([output.subarray(0, 13), output.subarray(112)], [Buffer.alloc(13, 7), Buffer.alloc(8, 7)]);
  const want = masked(source, key);
  mask(source, key, source, 0, source.length);
  t.same(source, want);
});
