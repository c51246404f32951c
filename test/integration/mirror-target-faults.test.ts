import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { request } from 'undici';
import { isHyperupError } from '../../src/base/errors.js';
import { copyImage } from '../../src/provision/copy-verbs.js';
import { digestOf } from '../../src/registry/digest-of.js';
import { pushBlobSet } from '../faults/blob-set.js';
import { makeRandom } from '../faults/fault-schedule.js';
import { pushManifest, startRegistry } from '../fixtures/registry.js';

/*
 * Copies into a registry whose connections break off: a short blob goes there in one request, a long one as it comes
 * in, and of neither is it known how much has arrived. Whatever breaks, the target has the image whole or no name for it.
 */

t.setTimeout(300_000);

const runs = 24;
const path = 'faults/target';
/** Short ones, and two that are sent as they come in. */
const sizes = [700, 3_000, 40_000, 250_000, 900_000, 1_000_000, 2_500_000, 5_000_000];
const imageType = 'application/vnd.oci.image.manifest.v1+json';

const source = await startRegistry();
const folder = await mkdtemp(join(tmpdir(), 'hyperup-target-'));
t.teardown(async () => {
  await source.stop();
  await rm(folder, { recursive: true, force: true });
});
const [config, ...layers] = await pushBlobSet({ host: source.host, path, sizes, seed: 7 });
const bytes = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: imageType,
    config: { ...config, mediaType: 'application/vnd.oci.image.config.v1+json' },
    layers: layers.map((layer) => ({ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' })),
  }),
);
const manifest = { digest: digestOf(bytes), size: bytes.length, bytes };
await pushManifest(source.host, path, 'v1', imageType, manifest);

/** A way to `target` on which some connections end after so many bytes to it, or from it. */
async function startBadWay(target: string, budget: () => { readonly to: number; readonly from: number }) {
  const open = new Set<Socket>();
  let broken = 0;
  const server = createServer((near) => {
    const [host = '', port = ''] = target.split(':');
    const far = connect(Number(port), host);
    const left = { ...budget() };
    const end = () => {
      near.destroy();
      far.destroy();
    };
    const pass = (from: Socket, to: Socket, key: 'to' | 'from') => {
      open.add(from);
      from.on('error', end);
      from.on('close', end);
      from.on('data', (chunk: Buffer) => {
        const part = chunk.subarray(0, left[key]);
        left[key] -= chunk.length;
        to.write(part);
        if (left[key] > 0) return;
        broken += 1;
        // What was passed on should arrive before the end does.
        setTimeout(end, 20);
      });
    };
    pass(near, far, 'to');
    pass(far, near, 'from');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${port}`,
    broken: () => broken,
    stop: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function digestAt(host: string): Promise<string | undefined> {
  const { statusCode, body } = await request(`http://${host}/v2/${path}/manifests/v1`, {
    headers: { accept: imageType },
  });
  const found = Buffer.from(await body.arrayBuffer());
  return statusCode === 200 ? digestOf(found) : undefined;
}

t.test(`${runs} copies into a registry on a bad way`, async (t) => {
  const totals = { whole: 0, failed: 0, broken: 0 };
  for (let seed = 1; seed <= runs; seed += 1) {
    const random = makeRandom(seed);
    const target = await startRegistry();
    const never = Number.POSITIVE_INFINITY;
    const share = random() * 0.7;
    const way = await startBadWay(target.host, () => {
      if (random() > share) return { to: never, from: never };
      if (random() < 0.6) return { to: 1 + Math.floor(random() * 600_000), from: never };
      return { to: never, from: 1 + Math.floor(random() * 2_000) };
    });
    const options = {
      source: `docker://${source.host}/${path}:v1`,
      target: `docker://${way.host}/${path}:v1`,
      platform: undefined,
      mirrors: [],
      lock: undefined,
      cacheDir: join(folder, `cache-${seed}`),
      stallMs: 5_000,
      engineHost: undefined,
      insecureRegistries: [],
    };
    const failure = await copyImage(options).result.then(
      () => undefined,
      (error: unknown) => error,
    );
    const there = await digestAt(target.host);
    if (failure === undefined) {
      totals.whole += 1;
      t.equal(there, manifest.digest, `seed ${seed}: the image is there`);
    } else {
      totals.failed += 1;
      t.ok(isHyperupError(failure, 'RegistryFailed') || isHyperupError(failure, 'Timeout'), `seed ${seed}: ${failure}`);
      // A manifest whose answer was lost may be there; the registry takes none that isn't whole.
      t.ok(there === undefined || there === manifest.digest, `seed ${seed}: whole or not at all`);
      const again = await copyImage({ ...options, target: `docker://${target.host}/${path}:v1` }).result;
      t.equal(again.digest, manifest.digest, `seed ${seed}: the next run goes on`);
    }
    totals.broken += way.broken();
    await way.stop();
    await target.stop();
  }
  t.comment(JSON.stringify(totals));
  t.ok(totals.broken > runs, 'connections did break');
  t.ok(totals.whole > runs / 3, 'much is made up for');
});
