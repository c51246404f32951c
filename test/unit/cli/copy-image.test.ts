import t from 'tap';
import type { ProgressEvent } from '../../../src/base/progress.js';
import { makeTransferLine, transferText } from '../../../src/cli/transfer-line.js';
import type { CopyImageOptions, CopyImageResult } from '../../../src/provision/copy-verbs.js';
import { fakeCli, fakeOperation, jsonLines } from './fake-cli.js';

const result: CopyImageResult = {
  source: 'docker://k8s.gcr.io/etcd:3.4',
  target: 'oci:/images:etcd',
  digest: `sha256:${'a'.repeat(64)}`,
  blobs: { copied: 2, present: 1 },
  bytes: { moved: 90_000_000, present: 5_000_000 },
  from: [
    { origin: 'a.invalid', bytes: 60_000_000 },
    { origin: 'b.invalid', bytes: 30_000_000 },
  ],
  elapsedMs: 3000,
};
const transfer: ProgressEvent = {
  type: 'transfer',
  image: 'docker://k8s.gcr.io/etcd:3.4',
  source: 'a.invalid, b.invalid',
  currentBytes: 45_000_000,
  totalBytes: 90_000_000,
  bytesPerSecond: 30_000_000,
  leftMs: 1500,
};

function seeing(events: readonly ProgressEvent[] = [], value: CopyImageResult = result) {
  const seen: CopyImageOptions[] = [];
  const copyImage = (options: CopyImageOptions) => {
    seen.push(options);
    return fakeOperation(value, events);
  };
  return { seen, copyVerbs: { copyImage } };
}

t.test('flags reach the verb', async (t) => {
  const { seen, copyVerbs } = seeing();
  const words = ['images', 'copy', 'docker://k8s.gcr.io/etcd:3.4', 'oci:/images:etcd'];
  const flags = ['--mirror', 'a.invalid', '--mirror', 'none', '--lock', 'my.lock', '--insecure-registry', 'r:5000'];
  const { exitCode } = await fakeCli([...words, ...flags, '--platform', 'linux/arm64'], { copyVerbs });
  t.equal(exitCode, 0);
  await fakeCli([...words, '--all'], { copyVerbs, env: { HYPERUP_MIRRORS: 'cn' } });
  await fakeCli(words, { copyVerbs, configText: 'images: { mirrors: [b.invalid], stallTimeout: 5s }' });
  const common = { source: words[2], target: words[3], cacheDir: '/home/ada/.cache/hyperup', engineHost: undefined };
  t.strictSame(seen, [
    {
      ...common,
      platform: 'linux/arm64',
      mirrors: ['a.invalid', 'none'],
      lock: '/work-dir/my.lock',
      stallMs: 20_000,
      insecureRegistries: ['r:5000'],
    },
    { ...common, platform: 'all', mirrors: ['cn'], lock: undefined, stallMs: 20_000, insecureRegistries: [] },
    { ...common, platform: undefined, mirrors: ['b.invalid'], lock: undefined, stallMs: 5000, insecureRegistries: [] },
  ]);
  const both = await fakeCli([...words, '--all', '--platform', 'linux/arm64'], { copyVerbs });
  t.equal(both.exitCode, 2);
  t.match(both.err, '--all and --platform');
});

t.test('what is printed', async (t) => {
  const words = ['images', 'copy', 'a', 'b'];
  const { copyVerbs } = seeing([transfer]);
  const plain = await fakeCli(words, { copyVerbs });
  t.equal(
    plain.out,
    `Copied docker://k8s.gcr.io/etcd:3.4 to oci:/images:etcd: 2 blobs, 90.0 MB in 3.0 s (30.0 MB/s) from a.invalid (60.0 MB), b.invalid (30.0 MB); 5.00 MB were there
Digest: ${result.digest}
`,
  );
  t.match(plain.err, 'from a.invalid, b.invalid: 45.0 MB of 90.0 MB');
  const json = await fakeCli([...words, '--json'], { copyVerbs });
  t.match(jsonLines(json.out), [transfer, { type: 'result', verb: 'images copy', ok: true, result }]);
  t.equal((await fakeCli([...words, '-q'], { copyVerbs })).out, '');
  const still = { ...result, blobs: { copied: 0, present: 3 }, bytes: { moved: 0, present: 9 }, from: [] };
  t.match((await fakeCli(words, seeing([], still))).out, '0 blobs, nothing had to move; 9 B were there');
});

t.test('on a terminal one line is redrawn, and gone at the end', async (t) => {
  const { copyVerbs } = seeing([transfer, { type: 'note', level: 'warn', message: 'mirrors disagree' }]);
  const { err } = await fakeCli(['images', 'copy', 'a', 'b'], { copyVerbs, tty: true });
  const line = '[##########..........]  45.0 MB of 90.0 MB  30.0 MB/s  1.5 s left  from a.invalid,';
  t.ok(err.startsWith(`\r\u001B[K${line.slice(0, 78)}`));
  t.ok(err.endsWith('\r\u001B[Kwarning: mirrors disagree\n'));
  if (transfer.type === 'transfer') {
    t.equal(transferText({ ...transfer, leftMs: undefined, bytesPerSecond: 0 }, 200).includes('left'), false);
    t.equal(transferText(transfer, 30).length, 30, 'cut to the width');
    t.match(transferText({ ...transfer, totalBytes: 0, currentBytes: 0 }, 200), /^\[\.{20}\] {2}0 B of 0 B/);
  }
  let written = '';
  makeTransferLine(
    (text) => {
      written += text;
    },
    () => 80,
  ).clear();
  t.equal(written, '', 'nothing to clear');
});

t.test('several images at once are shown as one, until each has ended', async (t) => {
  let shown = '';
  const line = makeTransferLine(
    (text) => {
      shown = text.replace('\r\u001B[K', '');
    },
    () => 200,
  );
  const first = { type: 'transfer', image: 'a', source: 'x', currentBytes: 1e6, totalBytes: 4e6 } as const;
  const second = { ...first, image: 'b', source: 'x, y', currentBytes: 3e6, totalBytes: 12e6, bytesPerSecond: 6e6 };
  line.draw(first);
  t.match(shown, '1.00 MB of 4.00 MB  from x');
  line.draw(second);
  t.equal(shown, '[#####...............]  4.00 MB of 16.0 MB  6.00 MB/s  2.0 s left  from x, y');
  line.draw({ ...first, currentBytes: 4e6 });
  t.match(shown, '7.00 MB of 16.0 MB');
  line.draw(second);
  t.match(shown, '3.00 MB of 12.0 MB');
});

t.test('a plan', async (t) => {
  const blob = { mediaType: '', digest: `sha256:${'b'.repeat(64)}`, size: 1000 };
  const { out, exitCode } = await fakeCli(['images', 'copy', 'a', 'b', '--dry-run'], {
    copyVerbs: {
      planImageCopy: async () => ({
        source: 'docker://a',
        target: 'oci:b',
        digest: result.digest,
        mediaType: '',
        manifests: 1,
        missing: [blob],
        present: [],
        foreign: [],
        mirrors: ['m.invalid'],
      }),
    },
  });
  t.equal(exitCode, 0);
  t.match(out, 'docker://a to oci:b: 1 blob, 1.00 kB to be copied\n');
  t.match(out, 'From: m.invalid\n');
  t.match(out, /b{64} {2}1\.00 kB {2}to be copied/);
});
