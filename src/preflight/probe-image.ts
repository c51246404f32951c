import { Readable } from 'node:stream';
import { pack } from 'tar-stream';

/** A Linux machine's code for `exit(0)`, and its number in an ELF header. */
const programs: Readonly<Record<string, { readonly machine: number; readonly code: readonly number[] }>> = {
  // xor edi,edi; mov eax,60; syscall
  x86_64: { machine: 62, code: [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05] },
  // mov x0,#0; mov x8,#93; svc #0
  aarch64: { machine: 183, code: [0x00, 0x00, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4] },
};

const aliases: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

/** Where the program lies in the image. */
export const probePath = '/exit-0';

/**
 * A whole program that ends at once with 0, or undefined for an architecture that none is known for: 64-bit ELF with
 * one loadable segment. Source: elf(5).
 */
export function makeProbeProgram(architecture: string): Uint8Array | undefined {
  const program = programs[aliases[architecture] ?? architecture];
  if (!program) return undefined;
  const headerBytes = 64 + 56;
  const base = 0x40_0000n;
  const file = Buffer.alloc(headerBytes + program.code.length);
  const size = BigInt(file.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(program.machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(base + BigInt(headerBytes), 24);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  const segment = 64;
  file.writeUInt32LE(1, segment);
  file.writeUInt32LE(5, segment + 4);
  file.writeBigUInt64LE(base, segment + 16);
  file.writeBigUInt64LE(base, segment + 24);
  file.writeBigUInt64LE(size, segment + 32);
  file.writeBigUInt64LE(size, segment + 40);
  file.writeBigUInt64LE(0x1000n, segment + 48);
  file.set(program.code, headerBytes);
  return file;
}

/** A root file system that holds that program alone, as a tar stream. */
export function packProbe(program: Uint8Array): Readable {
  const tar = pack();
  tar.entry({ name: probePath.slice(1), mode: 0o755 }, Buffer.from(program));
  tar.finalize();
  return Readable.from(tar);
}
