import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { connectEngine } from '../../src/docker/connect.js';
import { toAccepted } from '../../src/mirror/content/convert-manifests.js';
import { isIndexType, parseManifest } from '../../src/mirror/content/image-manifest.js';
import { locationName, parseImageLocation } from '../../src/mirror/content/location.js';
import { openReader, openWriter } from '../../src/mirror/content/open.js';
import type { ContentDeps } from '../../src/mirror/content/types.js';
import { createRegistryClients } from '../../src/registry/clients.js';
import { describeFailure, runProgram } from '../e2e/support/program.js';
import { ensureTestImages, testImage } from '../e2e/support/test-images.js';
import { pushImage, pushTinyImage, startRegistry } from '../fixtures/registry.js';

// tap's own limit for a file is 30 s, and the image is made of packages the first time.
t.setTimeout(900_000);

/** Names that no other test uses. */
const run = `transports-${process.pid}`;
await ensureTestImages(['busybox']);
const engine = await connectEngine({ env: process.env });
const registry = await startRegistry();
const registries = createRegistryClients({
  proxies: { httpProxy: '', httpsProxy: '', noProxy: '' },
  extraCas: [],
  isInsecure: () => true,
  credentials: { find: async () => undefined },
  connectTimeoutMs: 5_000,
  silenceMs: 30_000,
});
const folder = await mkdtemp(join(tmpdir(), 'hyperup-transports-'));
const deps: ContentDeps = {
  engine,
  registries,
  tmpDir: join(folder, 'tmp'),
  logger: silentLogger,
  clock: systemClock,
};
const source = `docker://${registry.host}/${run}/busybox:1`;
await pushImage(testImage('busybox'), source.slice('docker://'.length));
t.teardown(async () => {
  for (const { tags } of await engine.listImages()) {
    for (const tag of tags.filter((tag) => tag.includes(run))) await engine.removeImage(tag);
  }
  await registries.close();
  engine.close();
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Copies one image as simply as can be, all blobs at once. */
async function copy(from: string, to: string): Promise<string> {
  const target = parseImageLocation(to);
  const reader = await openReader(parseImageLocation(from), deps);
  try {
    const writer = await openWriter(target, deps);
    try {
      const read = await reader.getManifest();
      const [manifest = read] = toAccepted([read], writer.accepts);
      const parsed = parseManifest(manifest.bytes, 'copy');
      if (parsed.kind !== 'image') throw new Error('an index, want an image');
      await Promise.all(
        [...parsed.layers, parsed.config].map(async (blob) => {
          if (!(await writer.hasBlob(blob))) await writer.putBlob(blob, await reader.openBlob(blob));
        }),
      );
      await writer.putManifest(manifest, locationName(target));
      await writer.commit();
      return manifest.digest;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  } finally {
    await reader.close();
  }
}

async function skopeo(...args: readonly string[]): Promise<string> {
  const result = await runProgram('skopeo', args, { timeoutMs: 60_000 });
  if (result.exitCode !== 0) throw new Error(describeFailure(result));
  return result.stdout;
}

const skopeoCopy = (from: string, to: string) =>
  skopeo('copy', '--quiet', '--src-tls-verify=false', '--dest-tls-verify=false', from, to);

/** Digest of the manifest, ids of config and layers as skopeo sees them, after it has read and checked every blob. */
async function seenBySkopeo(location: string) {
  const into = join(folder, `dir-${Math.random()}`);
  await skopeoCopy(location, `dir:${into}`);
  const manifest = await readFile(join(into, 'manifest.json'));
  const digest = (await skopeo('manifest-digest', join(into, 'manifest.json'))).trim();
  const parsed = parseManifest(manifest, 'skopeo');
  if (parsed.kind !== 'image') throw new Error('an index, want an image');
  return { digest, config: parsed.config.digest, layers: parsed.layers.map((layer) => layer.digest) };
}

async function seenByUs(location: string) {
  const reader = await openReader(parseImageLocation(location), deps);
  try {
    const { bytes, digest, mediaType } = await reader.getManifest();
    t.notOk(isIndexType(mediaType));
    const parsed = parseManifest(bytes, 'read');
    if (parsed.kind !== 'image') throw new Error('an index, want an image');
    return { digest, config: parsed.config.digest, layers: parsed.layers.map((layer) => layer.digest) };
  } finally {
    await reader.close();
  }
}

const original = await seenBySkopeo(source);
const at = (name: string) => join(folder, name);

t.test('what we write skopeo reads, the digests being equal', async (t) => {
  const ours = `docker://${registry.host}/${run}/ours:1`;
  t.equal(await copy(source, ours), original.digest, 'a registry gets the very bytes');
  t.strictSame(await seenBySkopeo(ours), original);
  const asOci = { ...original, digest: await copy(source, `oci:${at('layout')}:one`) };
  t.not(asOci.digest, original.digest, 'layouts are OCI');
  await copy(`oci:${at('layout')}:one`, `docker://${registry.host}/${run}/oci:1`);
  for (const target of [
    `oci:${at('layout')}:one`,
    `oci-archive:${at('layout.tar')}:one`,
    `docker://${registry.host}/${run}/ours:oci`,
  ]) {
    t.equal(await copy(`docker://${registry.host}/${run}/oci:1`, target), asOci.digest, target);
    t.strictSame(await seenBySkopeo(target), asOci, target);
    t.strictSame(await seenByUs(target), asOci, target);
  }
  const archive = `docker-archive:${at('docker.tar')}:example.com/${run}/busybox:1`;
  await copy(source, archive);
  const seen = await seenBySkopeo(archive);
  t.equal(seen.config, original.config);
  const { diff_ids } = await diffIds();
  t.strictSame(seen.layers, diff_ids, 'plain layers, as docker-archives have them');
  t.strictSame((await seenByUs(archive)).layers, diff_ids);
  const loaded = await runProgram('docker', ['load', '-i', at('docker.tar')]);
  t.match(loaded.stdout, `example.com/${run}/busybox:1`);
  t.equal((await engine.inspectImage(`example.com/${run}/busybox:1`))?.id, original.config);
});

/** What the image's config says of its layers. */
async function diffIds(): Promise<{ readonly diff_ids: readonly string[] }> {
  const config = await skopeo('inspect', '--config', '--raw', '--tls-verify=false', source);
  return (JSON.parse(config) as { rootfs: { diff_ids: readonly string[] } }).rootfs;
}

t.test('what skopeo writes we read, the digests being equal', async (t) => {
  const formats = [`oci:${at('theirs')}:one`, `oci-archive:${at('theirs.tar')}:one`];
  for (const [index, target] of formats.entries()) {
    await skopeoCopy(source, target);
    const seen = await seenBySkopeo(target);
    t.strictSame(await seenByUs(target), seen, target);
    const back = `docker://${registry.host}/${run}/back:${index}`;
    t.equal(await copy(target, back), seen.digest);
    t.strictSame(await seenBySkopeo(back), seen, back);
  }
  const archive = `docker-archive:${at('theirs-docker.tar')}:example.com/${run}/theirs:1`;
  await skopeoCopy(source, archive);
  const { diff_ids } = await diffIds();
  const seen = await seenByUs(archive);
  t.strictSame({ config: seen.config, layers: seen.layers }, { config: original.config, layers: diff_ids });
  await copy(archive, `oci:${at('layout')}:from-archive`);
  t.equal((await seenBySkopeo(`oci:${at('layout')}:from-archive`)).config, original.config);
  await skopeoCopy(source, `oci:${at('layout')}:theirs`);
  const { config, layers } = await seenByUs(`oci:${at('layout')}:one`);
  t.strictSame(
    { config, layers },
    { config: original.config, layers: original.layers },
    'in a layout of both, ours stays',
  );
  t.strictSame(
    (await readdir(at('layout'))).sort(),
    ['blobs', 'index.json', 'oci-layout'],
    'and nothing of the work is left',
  );
});

t.test('engine to engine, through archives that docker made, compressed ones too', async (t) => {
  const name = `example.com/${run}/again:1`;
  await copy(`docker-daemon:${testImage('busybox')}`, `docker-daemon:${name}`);
  t.equal((await engine.inspectImage(name))?.id, original.config, 'one that the engine has');
  await engine.removeImage(name);

  await runProgram('docker', ['save', '-o', at('saved.tar'), testImage('busybox')]);
  await runProgram('gzip', ['-k', at('saved.tar')]);
  const { diff_ids } = await diffIds();
  for (const saved of ['saved.tar', 'saved.tar.gz']) {
    const seen = await seenByUs(`docker-archive:${at(saved)}`);
    t.strictSame({ config: seen.config, layers: seen.layers }, { config: original.config, layers: diff_ids }, saved);
  }
  t.strictSame(await readdir(deps.tmpDir), [], 'what was put aside is gone');
});

t.test('an image that the engine lacks comes from a registry with its layers compressed', async (t) => {
  const tiny = `docker://${registry.host}/${run}/tiny:1`;
  const image = await pushTinyImage(registry.host, `${run}/tiny`, '1', run);
  const name = `example.com/${run}/tiny:1`;
  await copy(tiny, `docker-daemon:${name}`);
  t.equal((await engine.inspectImage(name))?.id, image.config.digest);
  await engine.removeImage(name);
  t.equal(await engine.inspectImage(image.config.digest), undefined, 'it was here for this test alone');
});

t.test('a registry mounts what it has elsewhere, and keeps nothing that is wrong', async (t) => {
  const image = await pushTinyImage(registry.host, `${run}/from`, '1', `${run} mounted`);
  const location = parseImageLocation(`docker://${registry.host}/${run}/mounted:1`);
  const blob = { mediaType: 'x', digest: image.layer.digest, size: image.layer.bytes.length };
  const without = await openWriter(location, deps);
  t.equal(await without.hasBlob(blob), false);
  const wrong = Buffer.alloc(blob.size, 'x');
  await t.rejects(without.putBlob(blob, Readable.from([wrong], { objectMode: false })), { code: 'DigestMismatch' });
  t.equal(await without.hasBlob(blob), false, 'the wrong one is not there');
  const mountFrom = [`${run}/nothing`, `${run}/from`];
  const writer = await openWriter(location, deps, { mountFrom });
  t.equal(await writer.hasBlob(blob), true, 'mounted');
  await writer.commit();
  t.equal(await without.hasBlob(blob), true);
  const absent = await openWriter(location, deps, { mountFrom: mountFrom.slice(0, 1) });
  const config = { ...blob, digest: image.config.digest, size: image.config.bytes.length };
  t.equal(await absent.hasBlob(config), false, 'what is nowhere else');
  await absent.putBlob(config, Readable.from([image.config.bytes], { objectMode: false }));
  t.equal(await absent.hasBlob(config), true, 'goes through the upload that began instead');
  await absent.commit();
});
