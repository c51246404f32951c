import t from 'tap';
import type { VerifiedImage } from '../../../src/mirror/lock/verify-lock.js';
import type { MirrorSurvey } from '../../../src/mirror/survey-mirrors/types.js';
import type { LockRequest, LockResult, VerifyImagesRequest } from '../../../src/provision/lock-verbs.js';
import { fakeCli, fakeOperation, jsonLines } from './fake-cli.js';

const entry = {
  digest: `sha256:${'a'.repeat(64)}`,
  mediaType: 'x',
  platforms: { 'linux/amd64': { manifest: 'm', config: 'c', size: 1 } },
  source: 'k8s.gcr.io/etcd:1',
  at: '2026-01-01T00:00:00Z',
};
const locked: LockResult = {
  file: '/work-dir/hyperup.lock',
  images: [
    { name: 'etcd', reference: 'k8s.gcr.io/etcd:1', entry, trust: 'upstream' },
    { name: 'hyperkube', reference: 'k8s.gcr.io/hyperkube:1', entry: undefined, reasons: ['k8s.gcr.io: not there'] },
  ],
  changes: [
    { reference: 'k8s.gcr.io/etcd:1', change: 'added', before: undefined, after: entry.digest },
    { reference: 'k8s.gcr.io/old:1', change: 'removed', before: entry.digest, after: undefined },
  ],
  outdated: false,
};

t.test('images lock: flags reach the verb, and the file is named', async (t) => {
  const seen: (LockRequest & { readonly mirrors: readonly string[] })[] = [];
  const verbs = {
    lockImages: (options: { readonly images: { readonly mirrors: readonly string[] } }, request: LockRequest) => {
      seen.push({ ...request, mirrors: options.images.mirrors });
      return fakeOperation(locked);
    },
  };
  const plain = await fakeCli(['images', 'lock'], { verbs });
  t.equal(plain.exitCode, 0);
  t.match(plain.out, /etcd +k8s\.gcr\.io\/etcd:1 +sha256:a{12} +linux\/amd64 +k8s\.gcr\.io\/etcd:1 +added/);
  t.match(plain.out, /hyperkube .* not found/);
  t.match(plain.out, /removed k8s\.gcr\.io\/old:1\n\/work-dir\/hyperup\.lock written/);
  const flags = ['--file', 'my.lock', '--platform', 'all', '--check', '--prune', '--mirror', 'cn'];
  await fakeCli(['images', 'lock', 'etcd', 'pause', ...flags], { verbs });
  await fakeCli(['images', 'lock'], { verbs, env: { HYPERUP_LOCK: '/etc/site.lock' } });
  t.strictSame(seen, [
    { names: [], file: '/work-dir/hyperup.lock', platforms: [], check: false, prune: false, mirrors: [] },
    {
      names: ['etcd', 'pause'],
      file: '/work-dir/my.lock',
      platforms: ['all'],
      check: true,
      prune: true,
      mirrors: ['cn'],
    },
    { names: [], file: '/etc/site.lock', platforms: [], check: false, prune: false, mirrors: [] },
  ]);
  const outdated = await fakeCli(['images', 'lock', '--check'], {
    verbs: { lockImages: () => fakeOperation({ ...locked, outdated: true }) },
  });
  t.equal(outdated.exitCode, 1);
  t.match(outdated.out, /hyperup\.lock is out of date/);
});

t.test('images verify: 1 where one differs', async (t) => {
  const seen: VerifyImagesRequest[] = [];
  const answer = (state: 'same' | 'absent' | 'differs'): readonly VerifiedImage[] => [
    { reference: 'k8s.gcr.io/etcd:1', digest: entry.digest, findings: [{ place: 'engine', state, detail: 'image x' }] },
  ];
  const run = (state: 'same' | 'absent' | 'differs', ...flags: readonly string[]) =>
    fakeCli(['images', 'verify', ...flags], {
      verbs: {
        verifyImages: (_: unknown, request: VerifyImagesRequest) => {
          seen.push(request);
          return fakeOperation(answer(state));
        },
      },
    });
  t.equal((await run('same')).exitCode, 0);
  t.equal((await run('absent', '--lock', 'site.lock')).exitCode, 0);
  const differs = await run('differs', '--remote', '--quiet');
  t.equal(differs.exitCode, 1);
  t.match(differs.out, /k8s\.gcr\.io\/etcd:1 +engine +differs +image x/);
  t.equal((await run('same', '--quiet')).out, '');
  t.strictSame(seen.slice(0, 3), [
    { file: '/work-dir/hyperup.lock', remote: false },
    { file: '/work-dir/site.lock', remote: false },
    { file: '/work-dir/hyperup.lock', remote: true },
  ]);
});

t.test('images mirrors: a table, what to write, and 1 where none serves', async (t) => {
  const image = { name: 'etcd', reference: 'k8s.gcr.io/etcd:1', has: true, detail: 'm.example/etcd:1' };
  const good = {
    mirror: 'm.example',
    word: 'm.example/{domain}/{path}',
    hosts: ['m.example'],
    reachable: true,
    latencyMs: 42,
    bytesPerSecond: 3_200_000,
    images: [image, { ...image, name: 'pause', has: false, detail: 'm.example has no pause' }],
    fault: undefined,
  };
  const bad = {
    ...good,
    mirror: 'upstream (k8s.gcr.io)',
    word: 'upstream',
    reachable: false,
    latencyMs: undefined,
    bytesPerSecond: undefined,
    images: good.images.map((each) => ({ ...each, has: false, detail: 'no answer' })),
    fault: { kind: 'dnsPoisoned', reason: 'DNS poisoned: k8s.gcr.io resolves to 127.0.0.1 here' },
  } as const;
  const survey: MirrorSurvey = {
    mirrors: [good, bad],
    notAsked: ['quay.m.example'],
    suggestion: [good.word],
    uncovered: ['pause'],
  };
  const run = (value: MirrorSurvey, ...flags: readonly string[]) =>
    fakeCli(['images', 'mirrors', ...flags], { verbs: { surveyMirrors: async () => value } });
  const shown = await run(survey);
  t.equal(shown.exitCode, 0);
  t.match(shown.out, /m\.example +yes +42 ms +3\.20 MB\/s +1\/2/);
  t.match(shown.out, /upstream \(k8s\.gcr\.io\) +no +- +- +0\/2 +DNS poisoned/);
  t.match(shown.out, /Use: --mirror 'm\.example\/\{domain\}\/\{path\}'\nNone has pause/);
  t.match(shown.out, /Not asked, since they copy other registries: quay\.m\.example/);
  t.notMatch(shown.out, /m\.example: no pause/);
  t.match((await run(survey, '-v')).out, /m\.example: no pause: m\.example has no pause/);
  t.match(jsonLines((await run(survey, '--json')).out).at(-1), { ok: true, result: { suggestion: [good.word] } });
  const none = await run({ ...survey, mirrors: [bad], suggestion: [] });
  t.equal(none.exitCode, 1);
});
