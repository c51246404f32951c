import { readdir } from 'node:fs/promises';
import t from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { isHyperupError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/logger.js';
import type { ProgressEvent } from '../../src/base/progress.js';
import { connectEngine } from '../../src/docker/connect.js';
import { obtainImages } from '../../src/mirror/obtain.js';
import type { TagChange } from '../../src/mirror/obtain-run.js';
import { describeSource } from '../../src/mirror/plan.js';
import { surveyImages } from '../../src/mirror/survey.js';
import { startFaultRegistry } from '../fakes/fault-registry.js';
import { pushManifest, pushTinyImage, startRegistry } from '../fixtures/registry.js';
import { makeManifestList, manifestListType } from '../fixtures/registry-image.js';
import { makeImageTools } from './image-tools.js';

/** Names that no other test uses, so that nothing of anybody's is in the way. */
const run = `mirror-test-${process.pid}`;
const engine = await connectEngine({ env: process.env });
const engineInfo = await engine.info();
const registry = await startRegistry();
t.teardown(async () => {
  await registry.stop();
  engine.close();
});

interface Outcome {
  readonly events: readonly ProgressEvent[];
  readonly tags: readonly TagChange[];
}

function image(name: string) {
  return { name, reference: `canonical.invalid/${run}/${name}:v1` };
}

/** What the names of this run stand for in the engine. */
async function namesOfRun(): Promise<readonly string[]> {
  const images = await engine.listImages();
  return images.flatMap((each) => [...each.tags, ...each.digests]).filter((name) => name.includes(run));
}

async function obtain(
  images: readonly { readonly name: string; readonly reference: string }[],
  mirrors: readonly string[],
  stallMs = 20_000,
): Promise<Outcome & { readonly obtained: Awaited<ReturnType<typeof obtainImages>> }> {
  const events: ProgressEvent[] = [];
  const tags: TagChange[] = [];
  const { clients, probe, transport, blobsDir, close } = await makeImageTools(engine, { silenceMs: stallMs / 2 });
  try {
    const obtained = await obtainImages({
      engine,
      engineInfo,
      release: { images },
      options: { mirrors, build: false, stallMs },
      clients,
      probe,
      transport,
      emit: (event) => events.push(event),
      logger: silentLogger,
      clock: systemClock,
      onTag: async (change) => {
        const already = await engine.inspectImage(change.reference);
        t.equal(already?.id, change.previousId, 'journaled before the tag changes');
        tags.push(change);
      },
    });
    t.same(await readdir(blobsDir), [], 'no part stays of what is in the engine');
    return { obtained, events, tags };
  } finally {
    await close();
  }
}

t.afterEach(async () => {
  for (const name of await namesOfRun()) await engine.removeImage(name);
});

t.test('comes through the last good mirror and says why it skipped the others', async (t) => {
  const faults = await Promise.all(
    (['refuses', 'unavailable', 'hangs', 'wrong-digest', 'bad-blob', 'web-page', 'login', 'empty'] as const).map(
      (fault) => startFaultRegistry(fault),
    ),
  );
  t.teardown(() => Promise.all(faults.map((fault) => fault.close())));
  const images = ['etcd', 'pause', 'hyperkube'].map(image);
  const pushed = await Promise.all(
    images.map(({ name }) => pushTinyImage(registry.host, `other/${run}/${name}`, 'v1', `${run} ${name}`)),
  );

  const started = performance.now();
  const mirrors = [...faults.map(({ host }) => `${host}/faulty`), `${registry.host}/other`, 'none'];
  const { obtained, events, tags } = await obtain(images, mirrors);
  const elapsedMs = performance.now() - started;
  t.ok(elapsedMs < 20_000, `within the time limits: ${Math.round(elapsedMs)} ms`);

  t.same(
    obtained.map(({ reference, changed }) => ({ reference, changed })),
    images.map(({ reference }) => ({ reference, changed: true })),
  );
  for (const [index, { reports, source, id, reference }] of obtained.entries()) {
    const good = `${registry.host}/other/${run}/${images[index]?.name}:v1`;
    t.equal(describeSource(source), `mirror ${good}`);
    const mirrorReports = reports.filter((report) => report.source.kind === 'mirror');
    const hosts = mirrorReports.map(({ source }) => (source.kind === 'mirror' ? source.host : ''));
    t.same([...new Set(hosts)], [...faults.map(({ host }) => host), registry.host], 'asked in the order given');
    const reasons = [
      /refused the connection/,
      /HTTP 503/,
      /no answer within 5 s/,
      /want sha256:0{64} as the registry says/,
      /served sha256:/,
      /web page titled "Hotel login"/,
      /login/,
      /manifest unknown/,
    ];
    for (const [at, fault] of faults.entries()) {
      const first = mirrorReports.find(({ source }) => source.kind === 'mirror' && source.host === fault.host);
      // One image finds a registry dead; the others may be spared the question.
      t.match(first?.outcome, /failed|skipped/, `${fault.host} did not serve`);
      t.match(first?.reason, reasons[at]);
    }
    const config = pushed[index]?.config.digest;
    t.ok(id === config || engineInfo.storageDriver !== 'overlay2', 'the image is the one that was pushed');
    t.same((await engine.inspectImage(reference))?.id, id, 'it is there under its canonical name');
    t.equal(await engine.inspectImage(good), undefined, `the mirror's name is gone`);
    const tag = tags.find((change) => change.reference === reference);
    t.same(tag, { reference, previousId: undefined, pulledAs: undefined });
  }
  const notes = events.filter((event) => event.type === 'note');
  t.ok(notes.length >= faults.length * images.length, 'each failure is told as it happens');
  t.ok(events.some((event) => event.type === 'step' && event.state === 'done'));
  t.same(
    (await namesOfRun()).filter((name) => name.includes('@')),
    [],
    'no digest of a mirror stays',
  );

  const hanging = faults[2];
  t.equal(hanging?.requests.length, 1, 'a mirror that hangs is waited for once, for all images');

  const again = await obtain(images, mirrors);
  t.ok(again.obtained.every(({ changed, source }) => !changed && source.kind === 'engine'));
  t.same(again.tags, [], 'the second run changes nothing');
});

t.test('a layer that stops coming is given up after the time limit', async (t) => {
  const stuck = await startFaultRegistry('stuck-blob');
  t.teardown(() => stuck.close());
  await pushTinyImage(registry.host, `other/${run}/late`, 'v1', `${run} late`);
  const started = performance.now();
  const { obtained } = await obtain([image('late')], [stuck.host, `${registry.host}/other`, 'none'], 2_000);
  t.ok(performance.now() - started < 10_000);
  t.match(obtained[0]?.reports, [
    { outcome: 'failed' },
    { outcome: 'failed', code: 'Timeout', reason: /bytes in 1 s/ },
    { outcome: 'skipped', reason: /not asked again/ },
    { outcome: 'served' },
  ]);
});

t.test('where no source serves, each is named with its reason', async (t) => {
  const [refuses, empty] = await Promise.all([startFaultRegistry('refuses'), startFaultRegistry('empty')]);
  t.teardown(() => Promise.all([refuses.close(), empty.close()]));
  await t.rejects(obtain([image('absent')], [refuses.host, empty.host]), {
    code: 'ImageUnavailable',
    message: new RegExp(
      [
        'absent',
        'engine: failed: it has no such image',
        `mirror ${refuses.host}/${run}/absent:v1: failed.*refused`,
        `mirror ${refuses.host}/absent:v1: skipped: not asked again: .*refused`,
        `mirror ${empty.host}/${run}/absent:v1: failed.*manifest unknown`,
        `mirror ${empty.host}/absent:v1: failed.*manifest unknown`,
        `upstream canonical.invalid/${run}/absent:v1: failed.*(?:does not resolve|no answer)`,
      ].join('[\\s\\S]*'),
    ),
  });
  t.same(await namesOfRun(), []);
});

t.test('a pinned digest is pulled and held to', async (t) => {
  const path = `other/${run}/pinned`;
  const right = await pushTinyImage(registry.host, path, 'v1', `${run} right`);
  await pushTinyImage(registry.host, path, 'v1', `${run} moved on`);
  const pinned = { name: 'pinned', reference: `canonical.invalid/${run}/pinned:v1@${right.manifest.digest}` };
  const { obtained } = await obtain([pinned], [`${registry.host}/other`, 'none']);
  t.equal(obtained[0]?.reference, `canonical.invalid/${run}/pinned:v1`);
  t.equal(obtained[0]?.id, right.config.digest, 'the pinned image, not what the tag says now');
  t.same(await namesOfRun(), [`canonical.invalid/${run}/pinned:v1`]);

  const foreign = { name: 'foreign', reference: `canonical.invalid/${run}/foreign:v1@sha256:${'1'.repeat(64)}` };
  const liar = await startFaultRegistry('wrong-digest');
  t.teardown(() => liar.close());
  const failure = await obtain([foreign], [liar.host, 'none']).catch((error: unknown) => error);
  t.ok(isHyperupError(failure, 'ImageUnavailable'));
  t.match(failure, {
    details: { images: [{ sources: [{}, { code: 'DigestMismatch', reason: /want sha256:1{64} as asked for/ }] }] },
  });
});

t.test('an image for another machine is refused, and leaves nothing behind', async (t) => {
  const other = engineInfo.architecture === 'aarch64' ? 'amd64' : 'arm64';
  await pushTinyImage(registry.host, `other/${run}/foreign`, 'v1', `${run} foreign`, { architecture: other });
  await t.rejects(obtain([image('foreign')], [`${registry.host}/other`, 'none']), {
    message: new RegExp(`image is for ${other}`),
  });
  t.same(await namesOfRun(), []);

  const child = await pushTinyImage(registry.host, `other/${run}/list`, 'part', `${run} list`, { architecture: other });
  await pushManifest(
    registry.host,
    `other/${run}/list`,
    'v1',
    manifestListType,
    makeManifestList([{ architecture: other, image: child }]),
  );
  await t.rejects(obtain([image('list')], [`${registry.host}/other`, 'none']), {
    message: new RegExp(`nothing for linux/.*only linux/${other}`),
  });
});

t.test("a name of the user's stays, and an image under a mirror's name needs no network", async (t) => {
  const path = `other/${run}/kept`;
  await pushTinyImage(registry.host, path, 'v1', `${run} kept`);
  const mirrored = `${registry.host}/${path}:v1`;
  await engine.pullImage(mirrored);
  const { obtained, tags } = await obtain([image('kept')], [`${registry.host}/other`, 'none']);
  t.match(obtained[0]?.reports.at(-1), { outcome: 'served', reason: /already in the engine/ });
  t.same(
    tags.map(({ pulledAs }) => pulledAs),
    [undefined],
  );
  t.ok(await engine.inspectImage(mirrored), "the user's own name stays");
});

t.test('a survey tells sources and sizes, and pulls nothing', async (t) => {
  const pushed = await pushTinyImage(registry.host, `other/${run}/seen`, 'v1', `${run} seen`);
  const { clients, probe, close } = await makeImageTools(engine);
  t.teardown(close);
  const survey = await surveyImages({
    engine,
    engineInfo,
    clients,
    probe,
    release: { images: [image('seen'), image('unseen')] },
    options: { mirrors: [`${registry.host}/other`, 'none'], build: true },
  });
  t.match(survey, [
    { name: 'seen', source: 'mirror', sizeBytes: pushed.config.bytes.length + pushed.layer.bytes.length },
    { name: 'unseen', source: 'unavailable', detail: /manifest unknown/, sizeBytes: undefined },
  ]);
  t.same(await namesOfRun(), []);
});

t.test('a registry that sends elsewhere is not blamed for what fails there', async (t) => {
  const refusing = await startFaultRegistry('refuses');
  const { probe, close } = await makeImageTools(engine);
  t.teardown(() => Promise.all([refusing.close(), close()]));
  const sender = await startFaultRegistry('sends-elsewhere', refusing.host);
  t.teardown(() => sender.close());
  const result = await probe.probe({ reference: `${sender.host}/a:v1` }, undefined);
  t.match(result, {
    ok: false,
    reason: new RegExp(`${sender.host} sends on to ${refusing.host}: ${refusing.host} refused the connection`),
  });
});
