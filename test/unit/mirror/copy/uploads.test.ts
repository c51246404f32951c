import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import { makeBlobUploads } from '../../../../src/mirror/copy/uploads.js';
import type { BlobUpload } from '../../../../src/registry/types.js';
import { fakeClient } from './copy-fakes.js';

const blob = { mediaType: '', digest: `sha256:${'a'.repeat(64)}`, size: 10_000_000 };
const { signal } = new AbortController();

/** A registry that keeps its sessions; `cut` breaks an append off after so many bytes. */
function fakeRegistry() {
  const sessions = new Map<string, number>();
  const log: string[] = [];
  const state = { cut: Number.POSITIVE_INFINITY, wrong: false };
  const open = (location: string): BlobUpload => ({
    location,
    get offset() {
      return sessions.get(location) ?? 0;
    },
    append: async (body, length) => {
      log.push(`append ${length}`);
      const bytes = await buffer(body);
      const taken = Math.min(bytes.length, state.cut);
      sessions.set(location, (sessions.get(location) ?? 0) + taken);
      if (taken < length) throw new HyperupError('RegistryFailed', 'the connection broke');
    },
    finish: async () => {
      if (state.wrong) throw new HyperupError('DigestMismatch', 'no');
      log.push('finish');
    },
    cancel: async () => {
      log.push('cancel');
      sessions.delete(location);
    },
  });
  const client = fakeClient('r.invalid', {
    startUpload: async () => {
      const location = `http://r.invalid/${sessions.size + log.length}`;
      sessions.set(location, 0);
      log.push('start');
      return open(location);
    },
    resumeUpload: async (location) => (sessions.has(location) ? open(location) : undefined),
  });
  return { client, log, state, sessions };
}

const rest = (from: number) => Readable.from([Buffer.alloc(blob.size - from)], { objectMode: false });
const right = async () => {};

t.test('a later process goes on where the registry is', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'uploads-'));
  t.teardown(() => rm(stateDir, { recursive: true }));
  const registry = fakeRegistry();
  const uploadsOf = () => makeBlobUploads({ client: registry.client, path: 'a/b', stateDir, logger: silentLogger });
  registry.state.cut = 4_000_000;
  const first = await uploadsOf().begin(blob, signal);
  await t.rejects(first.send(rest(0), right), { code: 'RegistryFailed' });

  registry.state.cut = Number.POSITIVE_INFINITY;
  const second = await uploadsOf().begin(blob, signal);
  t.equal(second.offset, 4_000_000);
  await second.send(rest(second.offset), right);
  t.same(registry.log, ['start', 'append 10000000', 'append 6000000', 'finish']);
  t.same(await readdir(stateDir), [], 'its session is forgotten');
});

t.test('where the registry has forgotten, it begins anew', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'uploads-'));
  t.teardown(() => rm(stateDir, { recursive: true }));
  const registry = fakeRegistry();
  const uploads = makeBlobUploads({ client: registry.client, path: 'a/b', stateDir, logger: silentLogger });
  registry.state.cut = 5;
  const upload = await uploads.begin(blob, signal);
  await t.rejects(upload.send(rest(0), right));
  registry.sessions.clear();
  await upload.recover();
  t.equal(upload.offset, 0);
  t.equal(registry.log.filter((line) => line === 'start').length, 2);
});

t.test('nothing is closed before the content is known to be right, and what is wrong is given up', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'uploads-'));
  t.teardown(() => rm(stateDir, { recursive: true }));
  const registry = fakeRegistry();
  const uploads = makeBlobUploads({ client: registry.client, path: 'a/b', stateDir, logger: silentLogger });
  const upload = await uploads.begin(blob, signal);
  const wrong = new HyperupError('DigestMismatch', 'the content was wrong');
  await t.rejects(
    upload.send(rest(0), () => Promise.reject(wrong)),
    wrong,
  );
  t.same(registry.log, ['start', 'append 10000000', 'cancel']);
  t.same(await readdir(stateDir), []);
});
