import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { connectEngine } from '../../src/docker/connect.js';
import type { PullProgress } from '../../src/docker/types.js';
import { makeTar } from '../fakes/fake-engine-tar.js';

// What the real engine makes of a registry that serves well, badly, slowly or not at all. The registry is a few routes
// on 127.0.0.1, so that each fault can be made exactly.

const run = `r${process.pid}`;
const digestOf = (data: string | Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';

interface Content {
  readonly layer: Buffer;
  readonly config: string;
  readonly manifest: string;
}

/** An image of its own for each fault: what an engine has by digest it never asks for again. */
async function makeContent(): Promise<Content> {
  const tar = await buffer(makeTar([{ name: 'noise', content: randomBytes(3_000_000) }]));
  const layer = gzipSync(tar, { level: 0 });
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { 'io.hyperup.test.pull': run } },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: 'test' }],
  });
  const configType = 'application/vnd.docker.container.image.v1+json';
  const layerType = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: configType, size: config.length, digest: digestOf(config) },
    layers: [{ mediaType: layerType, size: layer.length, digest: digestOf(layer) }],
  });
  return { layer, config, manifest };
}

const faultNames = [
  'none',
  'unavailable',
  'login',
  'absent',
  'hangs',
  'other manifest',
  'spoiled layer',
  'stuck layer',
] as const;
type Fault = (typeof faultNames)[number];
const contents = new Map<Fault, Content>();
for (const fault of faultNames) contents.set(fault, await makeContent());

function contentOf(fault: Fault): Content {
  const content = contents.get(fault);
  if (!content) throw new Error(`no image for ${fault}`);
  return content;
}

function send(response: ServerResponse, data: string | Buffer, type: string, head: boolean): void {
  const headers = { 'Content-Type': type, 'Content-Length': data.length, 'Docker-Content-Digest': digestOf(data) };
  response.writeHead(200, headers).end(head ? '' : data);
}

function serveBlob(fault: Fault, path: string, response: ServerResponse): void {
  const { layer, config } = contentOf(fault);
  if (path.endsWith(digestOf(config))) send(response, config, 'application/octet-stream', false);
  else if (fault === 'stuck layer') {
    response.writeHead(200, { 'Content-Length': layer.length }).write(layer.subarray(0, 1_500_000));
  } else {
    const served = fault === 'spoiled layer' ? Buffer.from(layer).fill(7, 1_000_000, 1_000_100) : layer;
    send(response, served, 'application/octet-stream', false);
  }
}

function serveManifest(fault: Fault, request: IncomingMessage, response: ServerResponse): void {
  const { manifest } = contentOf(fault);
  if (fault === 'hangs') return;
  if (fault === 'unavailable') response.writeHead(503).end('down');
  else if (fault === 'login') response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="r"' }).end();
  else if (fault === 'absent') {
    const errors = [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }];
    response.writeHead(404, { 'Content-Type': 'application/json' }).end(JSON.stringify({ errors }));
  } else {
    const served = fault === 'other manifest' ? `${manifest} ` : manifest;
    send(response, served, manifestType, request.method === 'HEAD');
  }
}

const server = createServer((request, response) => {
  const path = request.url ?? '';
  // The first part of a repository's name says how it behaves.
  const fault = /^\/v2\/([a-z-]+)\//.exec(path)?.[1]?.replaceAll('-', ' ') as Fault | undefined;
  if (fault && path.includes('/blobs/')) serveBlob(fault, path, response);
  else if (fault) serveManifest(fault, request, response);
  else response.writeHead(200, { 'Docker-Distribution-Api-Version': 'registry/2.0' }).end('{}');
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
const engine = await connectEngine({ env: process.env });

t.teardown(async () => {
  for (const { id } of await engine.listImages({ 'io.hyperup.test.pull': run }))
    await engine.removeImage(id, { force: true });
  engine.close();
  server.closeAllConnections();
  server.close();
});

t.test('a good registry', async (test) => {
  const reference = `${registry}/none/image:1`;
  const { layer, config, manifest } = contentOf('none');
  const seen: PullProgress[] = [];
  await engine.pullImage(reference, { onProgress: (progress) => seen.push(progress) });
  test.match(await engine.inspectImage(reference), { id: digestOf(config), tags: [reference] });
  test.same((await engine.inspectImage(reference))?.digests, [`${registry}/none/image@${digestOf(manifest)}`]);
  test.ok(
    seen.every((each, index) => each.currentBytes >= (seen[index - 1]?.currentBytes ?? 0)),
    'bytes never go down',
  );
  test.match(seen.at(-1), { currentBytes: layer.length, totalBytes: layer.length }, 'and all are counted');
  seen.length = 0;
  await engine.pullImage(`${registry}/none/image@${digestOf(manifest)}`, { onProgress: (each) => seen.push(each) });
  test.match(seen.at(-1), { totalBytes: 0, status: /up to date/ }, 'again, by digest: nothing to fetch');
  await engine.removeImage(digestOf(config), { force: true });
});

const faults: readonly {
  readonly fault: Fault;
  readonly tag?: string;
  readonly stallMs?: number;
  readonly code: string;
}[] = [
  { fault: 'unavailable', code: 'RegistryFailed' },
  { fault: 'login', code: 'ImageUnavailable' },
  { fault: 'absent', code: 'ImageUnavailable' },
  { fault: 'hangs', code: 'Timeout', stallMs: 700 },
  { fault: 'stuck layer', code: 'Timeout', stallMs: 1500 },
  { fault: 'other manifest', tag: `@${digestOf(contentOf('other manifest').manifest)}`, code: 'DigestMismatch' },
  { fault: 'spoiled layer', code: 'DigestMismatch' },
];
for (const { fault, tag = ':1', stallMs = 60_000, code } of faults) {
  t.test(`a registry with a fault: ${fault}`, async (test) => {
    const reference = `${registry}/${fault.replaceAll(' ', '-')}/image${tag}`;
    const error = await engine.pullImage(reference, { stallMs }).catch((thrown: unknown) => thrown);
    test.match(error, { code, message: `pull ${reference}: ` });
    test.not((error as { hint?: string }).hint, undefined, 'says what to do');
    test.equal(await engine.inspectImage(reference), undefined, 'and no image came');
  });
}

t.test('an abort in the middle of a layer', async (test) => {
  const reference = `${registry}/stuck-layer/image:2`;
  const controller = new AbortController();
  const pull = engine.pullImage(reference, {
    signal: controller.signal,
    onProgress: ({ currentBytes }) => currentBytes > 0 && controller.abort(),
  });
  await test.rejects(pull, { code: 'Aborted' });
});
