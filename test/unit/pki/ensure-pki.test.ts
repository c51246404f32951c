import { chmod, cp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkPki } from '../../../src/pki/check-pki.js';
import { ensurePki } from '../../../src/pki/ensure-pki.js';
import { readCertificate, readIdentity } from '../../../src/pki/pki-files.js';
import type { CertificateName, PkiProblem } from '../../../src/pki/types.js';
import { clockAt, dayMs, digestsOf, nowMs, testPlan, yearMs } from './pki-scene.js';

const plan = testPlan();
const clock = clockAt(nowMs);

/** A folder with all of the plan in it, made once and copied. */
async function madeFolder(t: Test): Promise<string> {
  const dir = join(t.testdir(), 'pki');
  await cp(await template, dir, { recursive: true });
  return dir;
}

const template = (async () => {
  const dir = join(t.testdir({}), 'template');
  await ensurePki({ dir, plan, clock });
  return dir;
})();

async function problemsIn(dir: string, at = nowMs): Promise<Partial<Record<CertificateName, readonly PkiProblem[]>>> {
  const findings = await checkPki(dir, plan, { clock: clockAt(at) });
  return Object.fromEntries(findings.filter((one) => one.problems.length > 0).map((one) => [one.name, one.problems]));
}

t.test('a first call makes everything, a second one nothing', async (t) => {
  const dir = join(t.testdir(), 'pki');
  const first = await ensurePki({ dir, plan, clock });
  t.strictSame(
    first.issued.map(({ name }) => name),
    plan.map(({ name }) => name),
  );
  t.strictSame(await problemsIn(dir), {});
  t.equal(first.earliestExpiry, new Date(nowMs + 10 * yearMs).toISOString(), 'leaves last ten years');
  const before = await digestsOf(dir);
  t.equal(Object.keys(before).length, 2 * plan.length);
  for (const [file] of Object.entries(before)) {
    const mode = (await stat(join(dir, file))).mode & 0o777;
    t.equal(mode, file.endsWith('.key') ? 0o600 : 0o644, file);
  }
  t.equal((await stat(dir)).mode & 0o777, 0o700);
  const second = await ensurePki({ dir, plan, clock });
  t.strictSame(second.issued, []);
  t.strictSame(await digestsOf(dir), before, 'not a byte changed');
  t.equal(second.identity('admin').keyPem, first.identity('admin').keyPem);
  t.equal(second.authorityPem('ca'), await readCertificate(dir, 'ca'));
  t.strictSame(second.identity('etcd-server'), await readIdentity(dir, 'etcd/server'));
});

t.test('what is wrong with a leaf is found and mended, and nothing else changes', async (t) => {
  const dir = await madeFolder(t);
  const file = (name: string) => join(dir, name);
  const cases: {
    name: string;
    harm: () => Promise<void>;
    entry: CertificateName;
    problem: PkiProblem;
    files: string[];
  }[] = [
    {
      name: 'the certificate is gone',
      harm: () => rm(file('apiserver.crt')),
      entry: 'apiserver',
      problem: 'missing',
      files: ['apiserver.crt', 'apiserver.key'],
    },
    {
      name: 'the key is gone',
      harm: () => rm(file('admin.key')),
      entry: 'admin',
      problem: 'keyMissing',
      files: ['admin.crt', 'admin.key'],
    },
    {
      name: 'the certificate was cut short',
      harm: async () => writeFile(file('scheduler.crt'), (await readFile(file('scheduler.crt'), 'utf8')).slice(0, 200)),
      entry: 'scheduler',
      problem: 'unreadable',
      files: ['scheduler.crt', 'scheduler.key'],
    },
    {
      name: 'the key is empty after a power cut',
      harm: () => writeFile(file('kubelet.key'), ''),
      entry: 'kubelet',
      problem: 'unreadable',
      files: ['kubelet.crt', 'kubelet.key'],
    },
    {
      name: 'the key is of another certificate (killed between the two files)',
      harm: async () => writeFile(file('etcd/peer.key'), await readFile(file('etcd/server.key'))),
      entry: 'etcd-peer',
      problem: 'keyMismatch',
      files: ['etcd/peer.crt', 'etcd/peer.key'],
    },
    {
      name: 'signed by another authority',
      harm: async () => {
        await writeFile(file('front-proxy-client.crt'), await readFile(file('hyperup-health.crt')));
        await writeFile(file('front-proxy-client.key'), await readFile(file('hyperup-health.key')));
      },
      entry: 'front-proxy-client',
      problem: 'wrongIssuer',
      files: ['front-proxy-client.crt', 'front-proxy-client.key'],
    },
    {
      name: 'for another subject',
      harm: async () => {
        await writeFile(file('kube-proxy.crt'), await readFile(file('kubelet-client.crt')));
        await writeFile(file('kube-proxy.key'), await readFile(file('kubelet-client.key')));
      },
      entry: 'kube-proxy',
      problem: 'wrongSubject',
      files: ['kube-proxy.crt', 'kube-proxy.key'],
    },
    {
      name: 'for another use',
      harm: async () => {
        await writeFile(file('kubelet.crt'), await readFile(file('kubelet-client.crt')));
        await writeFile(file('kubelet.key'), await readFile(file('kubelet-client.key')));
      },
      entry: 'kubelet',
      problem: 'wrongUsages',
      files: ['kubelet.crt', 'kubelet.key'],
    },
    {
      name: 'others may read the key: only its mode changes',
      harm: () => chmod(file('apiserver.key'), 0o644),
      entry: 'apiserver',
      problem: 'keyExposed',
      files: [],
    },
  ];
  for (const { name, harm, entry, problem, files } of cases) {
    const before = await digestsOf(dir);
    await harm();
    const problems = await problemsIn(dir);
    t.ok(problems[entry]?.includes(problem), `${name}: found`);
    t.strictSame(Object.keys(problems), [entry], `${name}: nothing else is blamed`);
    const { issued } = await ensurePki({ dir, plan, clock });
    t.strictSame(await problemsIn(dir), {}, `${name}: mended`);
    t.equal(issued.length, files.length > 0 ? 1 : 0, name);
    const after = await digestsOf(dir);
    const changed = Object.keys(after).filter((path) => after[path] !== before[path]);
    t.strictSame(changed, files, `${name}: only its own files`);
  }
  t.equal((await stat(file('apiserver.key'))).mode & 0o777, 0o600);
});

t.test('another name in the plan makes the certificates with names anew, and only those', async (t) => {
  const dir = await madeFolder(t);
  const wider = testPlan({ extraSans: ['api.example.com', '203.0.113.9'] });
  const { issued } = await ensurePki({ dir, plan: wider, clock });
  t.match(issued, [{ name: 'apiserver', reason: 'of its names it lacks api.example.com, 203.0.113.9' }]);
  t.equal(issued.length, 1);
  const back = await ensurePki({ dir, plan, clock });
  t.match(back.issued, [{ name: 'apiserver', reason: /has api.example.com, 203.0.113.9 too many/ }]);
});

t.test('what ends soon is renewed, once', async (t) => {
  const dir = await madeFolder(t);
  const later = nowMs + 10 * yearMs - 30 * dayMs;
  const problems = await problemsIn(dir, later);
  t.strictSame(problems.apiserver, ['expiresSoon']);
  t.equal(problems.ca, undefined, 'the authorities have ten more years');
  const { issued } = await ensurePki({ dir, plan, clock: clockAt(later) });
  t.equal(issued.length, plan.filter(({ kind }) => kind === 'leaf').length);
  t.strictSame((await ensurePki({ dir, plan, clock: clockAt(later) })).issued, []);
});

t.test('a leaf ends with its authority at the latest, and is then not made anew each time', async (t) => {
  const dir = await madeFolder(t);
  const late = nowMs + 20 * yearMs - 60 * dayMs;
  const bundle = await ensurePki({ dir, plan, clock: clockAt(late) });
  const end = new Date(nowMs + 20 * yearMs).toISOString();
  t.equal(bundle.earliestExpiry, end);
  const findings = await checkPki(dir, plan, { clock: clockAt(late) });
  t.strictSame(new Set(findings.flatMap(({ expires }) => expires ?? [])), new Set([end]));
  t.strictSame((await ensurePki({ dir, plan, clock: clockAt(late) })).issued, []);
  t.strictSame((await problemsIn(dir, late)).ca, ['expiresSoon'], 'status still tells it');
});

t.test('an authority is never replaced', async (t) => {
  const cases: { name: string; harm: (dir: string) => Promise<void>; at?: number; message: RegExp; hint: RegExp }[] = [
    {
      name: 'corrupt certificate',
      harm: (dir) => writeFile(join(dir, 'ca.crt'), 'garbage'),
      message: /ca\.crt holds no certificate/,
      hint: /backup/,
    },
    {
      name: 'corrupt key',
      harm: (dir) => writeFile(join(dir, 'etcd/ca.key'), 'garbage'),
      message: /etcd-ca .*ca\.key holds no private key/,
      hint: /backup/,
    },
    {
      name: "another authority's key",
      harm: async (dir) => writeFile(join(dir, 'ca.key'), await readFile(join(dir, 'etcd/ca.key'))),
      message: /ca\.key is not the key of/,
      hint: /backup/,
    },
    {
      name: 'corrupt key, certificate gone',
      harm: async (dir) => {
        await writeFile(join(dir, 'ca.key'), '');
        await rm(join(dir, 'ca.crt'));
      },
      message: /holds no private key/,
      hint: /backup/,
    },
    {
      name: 'a leaf in its place',
      harm: async (dir) => {
        await writeFile(join(dir, 'ca.crt'), await readFile(join(dir, 'admin.crt')));
        await writeFile(join(dir, 'ca.key'), await readFile(join(dir, 'admin.key')));
      },
      message: /may not sign others/,
      hint: /backup/,
    },
    { name: 'expired', harm: async () => {}, at: nowMs + 21 * yearMs, message: /it expired at/, hint: /clock/ },
    { name: 'not yet valid', harm: async () => {}, at: nowMs - 2 * dayMs, message: /it is valid from/, hint: /clock/ },
    {
      name: 'service-account keys that do not belong together',
      harm: async (dir) => writeFile(join(dir, 'sa.key'), await readFile(join(dir, 'ca.key'))),
      message: /sa\.key is not the key of .*sa\.pub/,
      hint: /backup/,
    },
    {
      name: 'service-account private key lost',
      harm: (dir) => rm(join(dir, 'sa.key')),
      message: /sa\.key does not exist/,
      hint: /backup/,
    },
  ];
  for (const { name, harm, at = nowMs, message, hint } of cases) {
    const dir = await madeFolder(t);
    await harm(dir);
    const before = await digestsOf(dir);
    await t.rejects(ensurePki({ dir, plan, clock: clockAt(at) }), { code: 'Conflict', message, hint }, name);
    const after = await digestsOf(dir);
    t.strictSame(after, before, `${name}: nothing was written`);
  }
});

t.test('interrupted runs are taken up again', async (t) => {
  const dir = await madeFolder(t);
  const key = await readFile(join(dir, 'ca.key'), 'utf8');
  await rm(join(dir, 'ca.crt'));
  await rm(join(dir, 'sa.pub'));
  const before = await digestsOf(dir);
  const { issued } = await ensurePki({ dir, plan, clock });
  t.strictSame(
    issued.map(({ name }) => name),
    ['ca', 'sa'],
    'what the key signed stays valid',
  );
  t.equal(await readFile(join(dir, 'ca.key'), 'utf8'), key);
  t.strictSame(await problemsIn(dir), {});
  const after = await digestsOf(dir);
  t.match(after, before);
});

t.test('an authority whose key is kept elsewhere', async (t) => {
  const dir = await madeFolder(t);
  await rm(join(dir, 'ca.key'));
  t.strictSame((await ensurePki({ dir, plan, clock })).issued, [], 'is enough while all is valid');
  await rm(join(dir, 'admin.crt'));
  await t.rejects(ensurePki({ dir, plan, clock }), {
    code: 'Conflict',
    message: /issue certificate admin: .*admin\.crt does not exist, and the key of ca is not here/,
  });
});

t.test('clocks that are wrong', async (t) => {
  const dir = join(t.testdir(), 'pki');
  await t.rejects(ensurePki({ dir, plan, clock: clockAt(0) }), {
    code: 'PreflightFailed',
    message: /the clock says 1970-01-01/,
    hint: /Set the clock/,
  });
  await ensurePki({ dir, plan, clock });
  t.strictSame(
    await problemsIn(dir, nowMs - 14 * 3600 * 1000),
    {},
    'set back by the widest time zone: all still valid',
  );
});

t.test('an unwritable folder', async (t) => {
  const dir = t.testdir({ file: '' });
  await t.rejects(ensurePki({ dir: join(dir, 'file', 'pki'), plan, clock }), { code: 'HostChangeFailed' });
});
