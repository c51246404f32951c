import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { type CopyImageOptions, copyImage, planImageCopy } from '../../src/provision/copy-verbs.js';
import { writeBenchImage } from '../bench/images/bench-image.js';
import { startHeldLink } from '../bench/images/held-link.js';
import { pushManifest, pushTinyImage, startRegistry } from '../fixtures/registry.js';
import { makeManifestList, manifestListType } from '../fixtures/registry-image.js';

/** Names that no other test uses, so that nothing of anybody's is in the way. */
const run = `copy-test-${process.pid}`;
const exec = promisify(execFile);
const [origin, other] = await Promise.all([startRegistry(), startRegistry()]);
const folder = await mkdtemp(join(tmpdir(), 'mirror-copy-'));
t.teardown(async () => {
  await Promise.all([origin.stop(), other.stop()]);
  await rm(folder, { recursive: true, force: true });
});

function optionsOf(source: string, target: string, more: Partial<CopyImageOptions> = {}): CopyImageOptions {
  return {
    source,
    target,
    platform: undefined,
    mirrors: [],
    lock: undefined,
    cacheDir: join(folder, 'cache'),
    stallMs: 20_000,
    engineHost: undefined,
    insecureRegistries: [],
    ...more,
  };
}

const copy = (source: string, target: string, more: Partial<CopyImageOptions> = {}) =>
  copyImage(optionsOf(source, target, more)).result;

/** What skopeo says the manifest at a place is: its digest, and its config's. */
async function bySkopeo(place: string): Promise<{ readonly digest: string; readonly config: string }> {
  const flags = place.startsWith('docker://') ? ['--tls-verify=false'] : [];
  const raw = await exec('skopeo', ['inspect', '--raw', ...flags, place]);
  const parsed = JSON.parse(raw.stdout) as { config?: { digest: string } };
  const { createHash } = await import('node:crypto');
  return {
    digest: `sha256:${createHash('sha256').update(raw.stdout).digest('hex')}`,
    config: parsed.config?.digest ?? '',
  };
}

t.test('any to any, read by skopeo', async (t) => {
  const image = await pushTinyImage(origin.host, `${run}/any`, 'v1', `${run} any`);
  const root = `docker://${origin.host}/${run}/any:v1`;
  const daemonName = `${other.host}/${run}/engine:v1`;
  t.teardown(() => exec('docker', ['rmi', '--force', daemonName]).catch(() => {}));
  // skopeo reads Docker's manifests in no OCI layout, so that they become OCI's there; the image stays what it is.
  const places = [
    { place: `docker://${other.host}/${run}/first:v1`, keeps: true },
    { place: `oci:${folder}/layout:first`, keeps: false },
    { place: `oci-archive:${folder}/oci.tar:first`, keeps: false },
    { place: `docker-archive:${folder}/docker.tar:${run}/archive:v1`, keeps: false },
    { place: `docker-daemon:${daemonName}`, keeps: false },
  ];
  for (const [index, { place, keeps }] of places.entries()) {
    const out = await copy(root, place);
    t.equal(out.blobs.copied + out.blobs.present, 2, place);
    const seen = await bySkopeo(place);
    t.equal(seen.config, image.config.digest, `${place} has the image`);
    if (keeps) t.equal(seen.digest, image.manifest.digest, `${place} has its manifest`);
    if (place.startsWith('oci')) t.equal(seen.digest, out.digest, `${place} has the manifest that was told`);

    const back = `docker://${other.host}/${run}/back-${index}:v1`;
    const report = await copy(place, back);
    const returned = await bySkopeo(back);
    t.equal(returned.digest, report.digest, `from ${place} back to a registry`);
    t.equal(returned.config, image.config.digest);
    if (keeps) t.equal(report.digest, image.manifest.digest);
    const again = await copy(place, back);
    t.same(again.blobs, { copied: 0, present: 2 }, 'a second time nothing moves');
  }
  t.same(await readdir(join(folder, 'cache/copy/blobs/sha256')), [], 'the cache is empty again');
});

t.test('what skopeo wrote is read', async (t) => {
  await pushTinyImage(origin.host, `${run}/theirs`, 'v1', `${run} theirs`);
  const root = `docker://${origin.host}/${run}/theirs:v1`;
  for (const place of [
    `oci:${folder}/theirs:v1`,
    `oci-archive:${folder}/theirs-oci.tar:v1`,
    `docker-archive:${folder}/theirs.tar:${run}/theirs:v1`,
  ]) {
    await exec('skopeo', ['copy', '--quiet', '--src-tls-verify=false', root, place]);
    const target = `docker://${other.host}/${run}/read:v1`;
    await copy(place, target);
    t.equal((await bySkopeo(target)).config, (await bySkopeo(place)).config, place);
  }
});

t.test('an index: whole, or one of its images', async (t) => {
  const parts = await Promise.all(
    ['amd64', 'arm64'].map(async (architecture) => ({
      architecture,
      image: await pushTinyImage(origin.host, `${run}/list`, architecture, `${run} ${architecture}`, { architecture }),
    })),
  );
  const list = makeManifestList(parts);
  await pushManifest(origin.host, `${run}/list`, 'v1', manifestListType, list);
  const root = `docker://${origin.host}/${run}/list:v1`;
  for (const place of [`docker://${other.host}/${run}/list:v1`, `oci:${folder}/list:all`]) {
    const all = await copy(root, place, { platform: 'all' });
    t.equal((await bySkopeo(place)).digest, all.digest, place);
    if (place.startsWith('docker')) t.equal(all.digest, list.digest);
  }
  const arm = parts[1]?.image;
  const one = await copy(root, `oci:${folder}/list:arm`, { platform: 'linux/arm64' });
  t.equal((await bySkopeo(`oci:${folder}/list:arm`)).config, arm?.config.digest);
  t.equal(one.blobs.copied, 0, 'its blobs are there for the index');
  await t.rejects(copy(root, `docker-archive:${folder}/list.tar`, { platform: 'all' }), { code: 'InvalidConfig' });
  const single = `docker://${origin.host}/${run}/list:amd64`;
  await t.rejects(copy(single, `oci:${folder}/list:wrong`, { platform: 'linux/arm64' }), {
    code: 'Conflict',
    message: /find linux\/arm64 in .*: it is one image, for linux\/amd64/,
  });
  await t.rejects(bySkopeo(`oci:${folder}/list:wrong`), 'nothing was written');
  t.equal((await copy(single, `oci:${folder}/list:single`, { platform: 'linux/amd64' })).blobs.copied, 0);
});

t.test('within one registry blobs are mounted, not sent', async (t) => {
  await pushTinyImage(origin.host, `${run}/from`, 'v1', `${run} mount`);
  const words = [`docker://${origin.host}/${run}/from:v1`, `docker://${origin.host}/${run}/to:v1`] as const;
  const plan = await planImageCopy(optionsOf(...words));
  t.equal(plan.missing.length, 2, 'a plan mounts nothing');
  const report = await copy(...words);
  t.same(report.blobs, { copied: 0, present: 2 });
  t.equal(report.bytes.moved, 0);
  t.equal((await bySkopeo(words[1])).digest, report.digest);
});

t.test('mirrors: the image comes from those that have it', async (t) => {
  await pushTinyImage(other.host, `${run}/mirrored`, 'v1', `${run} mirrored`);
  const report = await copy(`docker://canonical.invalid/${run}/mirrored:v1`, `oci:${folder}/mirrored:v1`, {
    mirrors: [origin.host, other.host, 'none'],
  });
  t.same(
    report.from.map(({ origin }) => origin),
    [other.host],
  );
  await t.rejects(
    copy(`docker://canonical.invalid/${run}/absent:v1`, `oci:${folder}/absent:v1`, { mirrors: [origin.host, 'none'] }),
    { code: 'ImageUnavailable', message: new RegExp(origin.host) },
  );
});

t.test('long layers, several at once: what is read into blocks that are used again arrives as it was', async (t) => {
  const kinds = ['gzip', 'plain', 'gzip'] as const;
  const roots = await Promise.all(
    kinds.map(async (kind, index) => {
      await writeBenchImage(join(folder, `long-${index}`), 24_000_000, kind, 100 + index);
      await copy(`oci:${folder}/long-${index}:bench`, `docker://${origin.host}/${run}/long-${index}:v1`);
      return `docker://${origin.host}/${run}/long-${index}:v1`;
    }),
  );
  const places = roots.flatMap((root, index) => [
    { root, place: `docker://${other.host}/${run}/long-${index}:v1` },
    { root, place: `oci:${folder}/long-copy-${index}:v1` },
    { root, place: `oci-archive:${folder}/long-${index}.tar:v1` },
    { root, place: `docker-archive:${folder}/long-docker-${index}.tar:${run}/long:v1` },
  ]);
  await Promise.all(
    places.map(({ root, place }) => copy(root, place, { cacheDir: join(folder, `cache ${place.length}`) })),
  );
  for (const { root, place } of places) {
    t.equal((await bySkopeo(place)).config, (await bySkopeo(root)).config, place);
    // Reads every byte, and compares it with its digest.
    const dir = `dir:${folder}/long-seen`;
    await exec('skopeo', ['copy', '--quiet', '--src-tls-verify=false', place, dir]);
    if (!place.startsWith('docker-archive:')) continue;
    const tar = place.split(':')[1] ?? '';
    const members = (await exec('tar', ['-tf', tar])).stdout.split('\n').filter((name) => name.endsWith('.tar'));
    t.equal(members.length, 1);
    for (const member of members) {
      const { stdout } = await exec('sh', ['-c', 'tar -xOf "$1" "$2" | sha256sum', '-', tar, member]);
      t.equal(`${stdout.split(' ')[0]}.tar`, member, 'a layer is called by its diff id');
    }
  }
});

t.test('kill -9 midway: the second run moves what was missing', async (t) => {
  // Long enough: what is under way when it is killed is a matter of time, a quarter of a second on a busy machine.
  const bytes = await writeBenchImage(join(folder, 'large'), 80_000_000, 'plain', process.pid);
  await copy(`oci:${folder}/large:bench`, `docker://${origin.host}/${run}/large:v1`);
  const link = await startHeldLink({ target: origin.host, bytesPerSecond: 10_000_000, shared: true });
  t.teardown(() => link.close());
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'killed') };
  const source = `docker://${link.host}/${run}/large:v1`;
  for (const target of [`oci:${folder}/killed:v1`, `docker://${other.host}/${run}/killed:v1`]) {
    const before = link.passedBytes;
    const child = spawn(process.execPath, [main, 'images', 'copy', '-q', source, target], { env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (link.passedBytes - before < bytes / 2 && child.exitCode === null) await delay(20);
    t.equal(child.exitCode, null, 'it was still at work');
    child.kill('SIGKILL');
    await ended;
    const first = link.passedBytes - before;
    await exec(process.execPath, [main, 'images', 'copy', '-q', source, target], { env });
    const second = link.passedBytes - before - first;
    t.ok(second <= bytes - first + bytes * 0.05, `${target}: ${first} bytes, then ${second}`);
    await exec('skopeo', ['copy', '--quiet', '--src-tls-verify=false', target, `oci:${folder}/checked:v1`]);
  }
});
