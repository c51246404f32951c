import t from 'tap';
import { startOperation } from '../../../src/base/operation.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import type { StopSignal } from '../../../src/cli/cli-io.js';
import type { Verbs } from '../../../src/cli/verbs.js';
import { isArchiveWord } from '../../../src/mirror/workloads/archive-images.js';
import { fakeCli, fakeOperation, jsonLines } from './fake-cli.js';

const words: readonly (readonly [word: string, isFile: boolean])[] = [
  ['nginx:1.25', false],
  ['quay.io/a/b.c:v1', false],
  ['registry.test:5000/tar', false],
  ['docker://a/b:1', false],
  ['app.tar', true],
  ['app.tar.gz', true],
  ['app.tgz', true],
  ['./image', true],
  ['../image', true],
  ['/srv/image', true],
  ['docker-archive:image', true],
  ['oci-archive:image:name', true],
];

for (const [word, isFile] of words) {
  t.test(`${word} is ${isFile ? 'a file' : 'a reference'}`, async (t) => t.equal(isArchiveWord(word), isFile));
}

t.test('images import hands on what was asked for', async (t) => {
  const asked: unknown[] = [];
  const importImages: Verbs['importImages'] = ({ images }, request) => {
    asked.push({ ...request, mirrors: images.mirrors });
    const image = { reference: 'a.test/b:1', id: `sha256:${'1'.repeat(64)}`, sizeBytes: 2_000_000, changed: true };
    return fakeOperation([{ ...image, from: 'mirror m.test/b:1' }]);
  };
  const argv = ['images', 'import', 'a.test/b:1', './c.tar', '--mirror', 'm.test', '--platform', 'linux/arm64'];
  const run = await fakeCli(argv, { verbs: { importImages } });
  t.equal(run.exitCode, 0, run.err);
  t.same(asked, [{ images: ['a.test/b:1', './c.tar'], platform: 'linux/arm64', mirrors: ['m.test'] }]);
  t.match(run.out, /a\.test\/b:1 +111111111111 +2.* +mirror m\.test\/b:1/);
  t.equal((await fakeCli(['images', 'import'])).exitCode, 2, 'nothing to import is a fault');
});

t.test('images import --dry-run: 1 where one can not be had', async (t) => {
  const plan = { reference: 'a.test/b:1', detail: 'nobody', sizeBytes: undefined };
  for (const [source, exitCode] of [
    ['mirror', 0],
    ['unavailable', 1],
  ] as const) {
    const verbs = { planImport: async () => [{ ...plan, source }] };
    const run = await fakeCli(['images', 'import', 'a.test/b:1', '--dry-run'], { verbs });
    t.equal(run.exitCode, exitCode, source);
    t.match(run.out, /Nothing has been brought/);
  }
});

const image = { reference: 'a.test/b:1', detail: 'mirror m.test', reasons: [], pods: ['default/web'] };
const refusal = { pod: 'default/web', container: 'c', image: 'a.test/b:1', remedy: 'always', detail: 'why' } as const;
const reports = [
  ['nothing waits', { brought: 0, images: [], refused: [] }, 0, /No pod waits/],
  [
    'helped',
    { brought: 1, images: [{ ...image, outcome: 'brought' as const }], refused: [] },
    0,
    /brought +default\/web/,
  ],
  [
    'not had',
    { brought: 0, images: [{ ...image, outcome: 'failed' as const }], refused: [] },
    1,
    /failed +default\/web/,
  ],
  [
    'not helped',
    { brought: 0, images: [], refused: [refusal] },
    1,
    /not helped +default\/web +imagePullPolicy is Always/,
  ],
] as const;

for (const [name, report, exitCode, text] of reports) {
  t.test(`images watch --once: ${name}`, async (t) => {
    const asked: unknown[] = [];
    const watchImages: Verbs['watchImages'] = (_options, request) => {
      asked.push(request);
      return fakeOperation(report);
    };
    const argv = ['images', 'watch', '--once', '--namespace', 'a', '--namespace', 'b'];
    const run = await fakeCli(argv, { verbs: { watchImages } });
    t.equal(run.exitCode, exitCode, run.err);
    t.match(run.out, text);
    t.same(asked, [{ namespaces: ['a', 'b'], once: true }]);
  });
}

const events: readonly ProgressEvent[] = [
  { type: 'transfer', image: 'b:1', source: 'm.test', currentBytes: 1e6, totalBytes: 2e6 },
  { type: 'step', step: 'image b', title: 'a.test/b:1', state: 'done', detail: 'mirror m.test' },
  { type: 'step', step: 'image c', title: 'a.test/c:1', state: 'failed', detail: 'no source has it' },
  { type: 'note', level: 'info', message: 'watching' },
  { type: 'note', level: 'warn', message: 'policy is Always' },
];

const styles = [
  ['a terminal', [], true, ['m.test', 'a.test/b:1', 'a.test/c:1', 'watching', 'Always']],
  ['quiet', ['--quiet'], false, ['a.test/c:1', 'Always']],
] as const;

for (const [name, flags, tty, shown] of styles) {
  t.test(`images watch prints lines until it is interrupted: ${name}`, async (t) => {
    let stop: (signal: StopSignal) => void = () => {};
    const watchImages: Verbs['watchImages'] = (_options, _request, run) =>
      startOperation(async (emit, signal) => {
        for (const event of events) emit(event);
        setImmediate(() => stop('SIGINT'));
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        return { brought: 1, images: [], refused: [] };
      }, run?.signal);
    const run = await fakeCli(['images', 'watch', ...flags], {
      verbs: { watchImages },
      tty,
      onStart: (send) => {
        stop = send;
      },
    });
    t.equal(run.exitCode, 0, 'an interrupt is its proper end');
    for (const word of ['m.test', 'a.test/b:1', 'a.test/c:1', 'watching', 'Always']) {
      t.equal(run.err.includes(word), (shown as readonly string[]).includes(word), word);
    }
    t.equal(run.out, flags.length === 0 ? '1 image brought.\n' : '');
  });
}

t.test('images watch --json prints each event', async (t) => {
  const watchImages: Verbs['watchImages'] = () => fakeOperation({ brought: 0, images: [], refused: [] }, events);
  const run = await fakeCli(['images', 'watch', '--once', '--json'], { verbs: { watchImages } });
  t.same(
    jsonLines(run.out).map(({ type }) => type),
    [...events.map(({ type }) => type), 'result'],
  );
});
