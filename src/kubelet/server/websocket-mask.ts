/**
 * What the package `ws` takes from the native package `bufferutil` where that is installed; bundle.js puts this in its
 * place. Four bytes at a time, where `ws` alone goes byte by byte, which for a copy into a pod is half of its cost.
 * `key` has four bytes. Source: RFC 6455, section 5.3.
 */
export function unmask(buffer: Uint8Array, key: Uint8Array): void {
  const { byteOffset, length } = buffer;
  // A view of words has to begin at a multiple of their size.
  const head = Math.min(length, (4 - (byteOffset & 3)) & 3);
  const count = (length - head) >> 2;
  xorBytes(buffer, key, 0, head);
  if (count > 0) {
    const turned = Uint8Array.from([0, 1, 2, 3], (index) => byteAt(key, head + index));
    const word = new Int32Array(turned.buffer)[0] ?? 0;
    const words = new Int32Array(buffer.buffer, byteOffset + head, count);
    for (let index = 0; index < count; index += 1) words[index] = (words[index] as number) ^ word;
  }
  xorBytes(buffer, key, head + count * 4, length);
}

/** Masks `length` bytes of `source` into `output` from `offset` on; the two may be the same. */
export function mask(source: Uint8Array, key: Uint8Array, output: Uint8Array, offset: number, length: number): void {
  const target = output.subarray(offset, offset + length);
  target.set(source.subarray(0, length));
  unmask(target, key);
}

function xorBytes(buffer: Uint8Array, key: Uint8Array, from: number, to: number): void {
  for (let index = from; index < to; index += 1) buffer[index] = (buffer[index] as number) ^ byteAt(key, index);
}

function byteAt(key: Uint8Array, index: number): number {
  return key[index & 3] ?? 0;
}
