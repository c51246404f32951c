import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import type { ProgressEvent } from '../../../../src/base/progress.js';
import type { BlobOrigin, ImageReader } from '../../../../src/mirror/content/types.js';
import { copyImage, planCopy } from '../../../../src/mirror/copy/copy-image.js';
import type { CopyRequest } from '../../../../src/mirror/copy/types.js';
import { makeBlobUploads } from '../../../../src/mirror/copy/uploads.js';
import type { BlobUpload } from '../../../../src/registry/types.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';
import { blobOf, fakeClient, fakeFetcher, fakeReader, fakeWriter, imageOf, indexOf } from './copy-fakes.js';

const config = blobOf('{}', 'application/vnd.oci.image.config.v1+json');
const [small, large] = [blobOf('small'), blobOf('quite a bit larger')];
/** Too long to be held in memory. */
const [long, longer] = [blobOf('long '.repeat(300_000)), blobOf('longer '.repeat(300_000))];
const foreign = {
  ...blobOf('foreign', 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'),
  urls: ['https://example.invalid/layer'],
};
const image = imageOf(config, [small, large]);
const index = indexOf([{ manifest: image, platform: { os: 'linux', architecture: 'amd64' } }]);
const blobs = [config, small, large, long, longer, foreign];
const origin: BlobOrigin = {
  name: 'mirror',
  host: 'mirror.invalid',
  open: async () => {
    throw new Error('the fetcher is a fake');
  },
};
const cacheDir = await mkdtemp(join(tmpdir(), 'copy-image-'));
t.teardown(() => rm(cacheDir, { recursive: true }));

function copyOf(parts: Pick<CopyRequest, 'source' | 'target'> & Partial<CopyRequest>): CopyRequest {
  return {
    platform: 'all',
    reference: 'name:v1',
    fetcher: fakeFetcher(blobs),
    cacheDir,
    emit: () => {},
    logger: silentLogger,
    clock: makeManualClock(),
    ...parts,
  };
}

t.test('only what is missing moves, the largest first; manifests follow, then the commit', async (t) => {
  const source = fakeReader({ root: index, children: [image], blobs });
  const target = fakeWriter({ has: [config.digest] });
  const events: ProgressEvent[] = [];
  const report = await copyImage(copyOf({ source, target, concurrency: 1, emit: (event) => events.push(event) }));
  t.same(target.log, [
    `blob ${large.digest}`,
    `blob ${small.digest}`,
    `manifest ${image.digest} -`,
    `manifest ${index.digest} name:v1`,
    'commit',
  ]);
  const moved = large.size + small.size;
  t.same(report, {
    digest: index.digest,
    blobs: { copied: 2, present: 1 },
    bytes: { moved, present: config.size },
    from: [{ origin: 'fake:source', bytes: moved }],
  });
  t.match(events.at(-1), { type: 'transfer', source: 'fake:source', currentBytes: moved, totalBytes: moved });
});

t.test('a plan says what would move and changes nothing', async (t) => {
  const target = fakeWriter({ has: [small.digest] });
  const plan = await planCopy({ source: fakeReader({ root: image }), target, platform: 'all' });
  t.same(
    plan.missing.map(({ digest }) => digest),
    [config.digest, large.digest],
  );
  t.same(
    plan.present.map(({ digest }) => digest),
    [small.digest],
  );
  t.same(target.log, []);
});

t.test('from registries: built up in a folder in place, streamed to what is none', async (t) => {
  const source: ImageReader = fakeReader({ root: image, origins: [origin] });
  const fetcher = fakeFetcher(blobs);
  const folder = await mkdtemp(join(cacheDir, 'folder-'));
  const inPlace = fakeWriter({ folder });
  const report = await copyImage(copyOf({ source, target: inPlace, fetcher }));
  t.same(
    inPlace.log.filter((line) => line.startsWith('adopt')).toSorted(),
    [config, small, large].map(({ digest }) => `adopt ${digest}`).toSorted(),
  );
  t.same(report.from, [{ origin: 'mirror', bytes: config.size + small.size + large.size }]);

  const streamed = fakeWriter();
  await copyImage(
    copyOf({ source: fakeReader({ root: imageOf(config, [small, long]), origins: [origin] }), target: streamed }),
  );
  t.equal(streamed.log.filter((line) => line.startsWith('blob')).length, 3);
  t.same(await readdir(join(cacheDir, 'blobs/sha256')), [], 'nothing stays in the cache');
});

t.test('content that was wrong as it streamed is sent again from the file', async (t) => {
  const source = fakeReader({ root: imageOf(config, [long]), origins: [origin] });
  const target = fakeWriter();
  let puts = 0;
  const counting = {
    ...target,
    putBlob: (...args: Parameters<typeof target.putBlob>) => {
      puts += 1;
      return target.putBlob(...args);
    },
  };
  await copyImage(copyOf({ source, target: counting, fetcher: fakeFetcher(blobs, Buffer.from('XX')) }));
  t.equal(puts, 3, 'the short one is sent once all of it is there');
  t.same(target.log.slice(0, 2).toSorted(), [`blob ${config.digest}`, `blob ${long.digest}`].toSorted());
});

/** A registry that takes what `finish` brings, after failing with `faults`, one a time. */
function failingUploads(faults: HyperupError[]) {
  const log: string[] = [];
  const open = (location: string, offset: number): BlobUpload => ({
    location,
    offset,
    append: async () => {
      log.push('append');
    },
    finish: async (digest, { rest } = {}) => {
      log.push(`finish ${rest?.toString()}`);
      const fault = faults.shift();
      if (fault !== undefined) throw fault;
      t.equal(digest, large.digest);
    },
    cancel: async () => {},
  });
  const client = fakeClient('r.invalid', {
    startUpload: async () => {
      log.push('start');
      return open('http://r.invalid/1', 0);
    },
    resumeUpload: async () => (log.length > 2 ? undefined : open('http://r.invalid/1', 6)),
  });
  return { log, uploads: makeBlobUploads({ client, path: 'a', stateDir: join(cacheDir, 'up'), logger: silentLogger }) };
}

t.test('a short blob is sent to a registry in one request, and again where it is', async (t) => {
  const source = fakeReader({ root: imageOf(config, [large]), origins: [origin] });
  const target = fakeWriter({ has: [config.digest] });
  const broken = new HyperupError('RegistryFailed', 'it broke off');
  const { log, uploads } = failingUploads([broken, broken]);
  await copyImage(copyOf({ source, target, uploads }));
  const [whole, rest] = ['finish quite a bit larger', 'finish a bit larger'];
  t.same(log, ['start', whole, rest, 'start', whole], 'the rest where the registry has some, else all of it');

  const refused = new HyperupError('RegistryFailed', 'no', { details: { status: 403 } });
  const closed = failingUploads([refused]);
  await t.rejects(copyImage(copyOf({ source, target, uploads: closed.uploads })), refused);
  t.same(closed.log, ['start', whole], 'what it refuses it refuses again');
});

t.test('the first failure stops the rest, aborts the target and says what is kept', async (t) => {
  const folder = await mkdtemp(join(cacheDir, 'folder-'));
  const source = fakeReader({ root: image, origins: [origin] });
  const target = fakeWriter({ folder });
  const events: ProgressEvent[] = [];
  const failing = fakeFetcher([large, small]);
  await t.rejects(
    copyImage(copyOf({ source, target, fetcher: failing, concurrency: 1, emit: (event) => events.push(event) })),
    { code: 'ImageUnavailable', message: new RegExp(config.digest) },
  );
  t.equal(target.log.at(-1), 'abort');
  t.notOk(target.log.some((line) => line.startsWith('manifest')));
  t.match(events.at(-1), { type: 'note', message: new RegExp(`kept for the next run: .* of 2 blobs in ${folder}`) });
});

t.test('one blob that fails ends those that wait', async (t) => {
  const waiting: string[] = [];
  const target = fakeWriter({
    onPut: async ({ digest }) => {
      if (digest === longer.digest) throw new HyperupError('HostChangeFailed', 'the disk is full');
      waiting.push(digest);
    },
  });
  const source = fakeReader({ root: imageOf(config, [long, longer]), blobs });
  await t.rejects(copyImage(copyOf({ source, target, concurrency: 1 })), { code: 'HostChangeFailed' });
  t.notOk(waiting.includes(long.digest), 'none was begun after the failure');
});

t.test('an interruption', async (t) => {
  const stop = new AbortController();
  const target = fakeWriter({ onPut: () => stop.abort(new Error('Ctrl-C')) });
  const source = fakeReader({ root: image, blobs });
  await t.rejects(copyImage(copyOf({ source, target, signal: stop.signal, concurrency: 1 })), { code: 'Aborted' });
  t.equal(target.log.at(-1), 'abort');
});

t.test('targets that hold less', async (t) => {
  const accepts = { index: false, oci: false };
  const source = fakeReader({ root: index, children: [image], blobs });
  await t.rejects(copyImage(copyOf({ source, target: fakeWriter({ accepts }) })), {
    code: 'InvalidConfig',
    message: /index of images, want one/,
    hint: /--platform/,
  });
  const target = fakeWriter({ accepts });
  const report = await copyImage(copyOf({ source, target, platform: { os: 'linux', architecture: 'amd64' } }));
  t.not(report.digest, image.digest, 'converted to schema 2');
  t.equal(target.log.at(-2), `manifest ${report.digest} name:v1`);

  const zstd = imageOf(config, [blobOf('z', 'application/vnd.oci.image.layer.v1.tar+zstd')]);
  await t.rejects(copyImage(copyOf({ source: fakeReader({ root: zstd, blobs }), target: fakeWriter({ accepts }) })), {
    code: 'InvalidConfig',
    message: /zstd/,
  });
});

t.test('foreign layers stay where they are, but for targets that hold whole images', async (t) => {
  const source = fakeReader({ root: imageOf(config, [foreign]), blobs });
  const registry = fakeWriter();
  const report = await copyImage(copyOf({ source, target: registry }));
  t.same(report.blobs, { copied: 1, present: 0 });
  t.notOk(registry.log.includes(`blob ${foreign.digest}`));
  const archive = fakeWriter({ accepts: { index: false, oci: true } });
  await copyImage(copyOf({ source, target: archive }));
  t.ok(archive.log.includes(`blob ${foreign.digest}`));
});
