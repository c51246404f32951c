import t from 'tap';
import { startOperation } from '../../../src/base/operation.js';
import { parseSize } from '../../../src/cli/parse-size.js';
import type { Verbs } from '../../../src/cli/verbs.js';
import { fakeCli } from './fake-cli.js';

const sizes: readonly (readonly [text: string, bytes: number | undefined])[] = [
  ['4GiB', 4 * 2 ** 30],
  ['4g', 4 * 2 ** 30],
  ['700MB', 700e6],
  ['1.5 GiB', 1.5 * 2 ** 30],
  ['65536', 65_536],
  ['1000', undefined],
  ['0', undefined],
  ['-1GiB', undefined],
  ['4 apples', undefined],
  ['', undefined],
  ['99999999999GiB', undefined],
];

for (const [text, bytes] of sizes) {
  t.test(`size ${JSON.stringify(text)}`, async (t) => {
    if (bytes === undefined)
      t.throws(() => parseSize(text, '--chunk-size'), { code: 'Usage', message: /--chunk-size/ });
    else t.equal(parseSize(text, '--chunk-size'), bytes);
  });
}

t.test('images save hands on what was asked for', async (t) => {
  const asked: Parameters<Verbs['saveImages']>[1][] = [];
  const saveImages: Verbs['saveImages'] = (_options, request) => {
    asked.push(request);
    return startOperation(async () => ({
      files: ['/out.tar'],
      sizeBytes: 1e9,
      digest: 'sha256:x',
      release: 'v1.20.2',
      platform: 'linux/amd64',
      images: [],
      leftOutBytes: undefined,
    }));
  };
  const line = 'images save -o /out.tar --image a:1 --image b:2 --addon coredns --chunk-size 64MiB --since old.lock';
  const run = await fakeCli(line.split(' '), { verbs: { saveImages } });
  t.equal(run.exitCode, 0, run.err);
  t.match(asked[0], {
    output: '/out.tar',
    images: ['a:1', 'b:2'],
    addons: ['coredns'],
    chunkBytes: 64 * 2 ** 20,
    since: 'old.lock',
    compress: false,
  });
  t.match(run.out, /hyperup install --bundle \/out\.tar/, 'it says what to do with it');
});

t.test('images save wants a file', async (t) => {
  const run = await fakeCli(['images', 'save']);
  t.equal(run.exitCode, 2);
  t.match(run.err, /--output/);
});

t.test('images serve prints how to use it', async (t) => {
  const serveImages: Verbs['serveImages'] = (_options, request) =>
    startOperation(async () => {
      request.onServing({
        port: 5000,
        urls: ['https://192.0.2.7:5000'],
        release: 'v1.20.2',
        images: ['k8s.gcr.io/etcd:3.4.13-0'],
        caPath: '/cache/ca.crt',
        fingerprint: 'AA:BB',
      });
      return { served: request.file };
    });
  const run = await fakeCli(['images', 'serve', 'b.tar'], { verbs: { serveImages } });
  t.equal(run.exitCode, 0);
  t.match(run.out, /--mirror 192\.0\.2\.7:5000 --mirror none/);
  t.match(run.out, /\/cache\/ca\.crt to \/etc\/docker\/certs\.d\/192\.0\.2\.7:5000\/ca\.crt/);
  t.match(run.out, /AA:BB/);
});
