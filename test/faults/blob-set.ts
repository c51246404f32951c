import { createHash } from 'node:crypto';
import { request } from 'undici';
import type { Descriptor } from '../../src/registry/types.js';
import { makeRandom } from './fault-schedule.js';

export interface BlobSetOptions {
  /** `HOST:PORT` of plain HTTP. */
  readonly host: string;
  readonly path: string;
  readonly sizes: readonly number[];
  readonly seed: number;
}

/** Puts blobs of random bytes into a registry and gives their descriptors. */
export async function pushBlobSet({ host, path, sizes, seed }: BlobSetOptions): Promise<readonly Descriptor[]> {
  const pushed: Descriptor[] = [];
  for (const [index, size] of sizes.entries()) pushed.push(await pushRandomBlob(host, path, size, seed + index));
  return pushed;
}

async function pushRandomBlob(host: string, path: string, size: number, seed: number): Promise<Descriptor> {
  const content = Buffer.alloc(size);
  const random = makeRandom(seed);
  // Random enough that no two places of it are alike, and quick to make.
  const block = Buffer.from(Array.from({ length: 4096 }, () => Math.floor(random() * 256)));
  for (let at = 0; at < size; at += block.length) {
    block.copy(content, at);
    if (size - at >= 8) content.writeDoubleLE(at + seed / 7, at);
  }
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const begun = await request(`http://${host}/v2/${path}/blobs/uploads/`, { method: 'POST' });
  await begun.body.dump();
  const url = new URL(String(begun.headers.location), `http://${host}`);
  url.searchParams.set('digest', digest);
  const sent = await request(url, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: content,
  });
  const answer = await sent.body.text();
  if (sent.statusCode !== 201) throw new Error(`push ${digest} to ${host}/${path}: HTTP ${sent.statusCode}: ${answer}`);
  return { mediaType: 'application/octet-stream', digest, size };
}
