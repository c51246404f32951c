import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openJournal } from '../../../src/host/journal.js';
import { resolveFixes } from '../../../src/preflight/fixes.js';
import { formatFinding } from '../../../src/preflight/format-finding.js';
import { preflightError, runPreflight } from '../../../src/preflight/run-preflight.js';
import { makeClock, makeHost, makeTempDir } from '../host/support.js';
import { makeFacts } from './good-facts.js';

t.test('checks are skipped by name', async (t) => {
  const facts = makeFacts({ uid: 1000, cpus: 1 });
  const { findings, skipped, failed } = runPreflight(facts, { skip: ['root'] });
  t.same(skipped, ['root']);
  t.equal(failed, false, 'a warning fails nothing');
  t.notOk(findings.some(({ id }) => id === 'root'));
});

t.test('a name that no check has is a usage error that lists the names', async (t) => {
  t.throws(() => runPreflight(makeFacts(), { skip: ['root', 'rooot', 'x'] }), {
    code: 'Usage',
    message: /"rooot", "x"/,
    hint: /root, engine, privileged/,
  });
});

t.test('failed checks become one error with everything in it', async (t) => {
  t.equal(preflightError(runPreflight(makeFacts({ cpus: 1 }))), undefined);
  const error = preflightError(
    runPreflight(makeFacts({ uid: 1000, cpus: 1, cgroups: { mode: 'none', hierarchies: [], controllers: [] } })),
  );
  t.match(error, {
    code: 'PreflightFailed',
    message: /2 things .*root, cgroups/,
    hint: /--skip-preflight root,cgroups/,
  });
  t.match(error?.output, /^fail {2}User \(root\): uid 1000\n {6}want: root \(uid 0\)\n {6}fix: {2}Run /);
  t.notMatch(error?.output, /Processors/);
});

t.test('a finding as lines', async (t) => {
  const finding = { id: 'a', severity: 'ok', title: 'A', found: 'b', wanted: 'c', fix: '', fixes: [] } as const;
  t.same(formatFinding(finding), ['ok    A (a): b']);
  t.same(formatFinding({ ...finding, severity: 'warn' }), ['warn  A (a): b', '      want: c']);
  t.same(formatFinding({ ...finding, severity: 'fail', fix: 'd' }), [
    'fail  A (a): b',
    '      want: c',
    '      fix:  d',
  ]);
});

t.test('what install puts right goes through the journal', async (t) => {
  const host = await makeHost(t, { '/proc/sys/net/ipv4/ip_forward': '0\n' });
  const { findings } = runPreflight(
    makeFacts({
      sysctls: { 'net.ipv4.ip_forward': '0', 'net.bridge.bridge-nf-call-iptables': '1' },
      propagation: { mountPoint: '/', shared: false },
    }),
  );
  const fixes = resolveFixes(findings);
  t.same(
    fixes.map(({ id, title }) => [id, title]),
    [
      ['ip-forward', 'set net.ipv4.ip_forward to 1'],
      ['mount-propagation', 'bind /var/lib/kubelet on itself and share it'],
    ],
  );
  const dir = join(await makeTempDir(t), 'state');
  await mkdir(dir);
  const journal = await openJournal({ dir, clock: makeClock() });
  t.teardown(() => journal.close());
  t.equal(await fixes[0]?.apply(journal, host), true);
  t.equal(await fixes[0]?.apply(journal, host), false);
  t.equal(await readFile(join(host.root, '/proc/sys/net/ipv4/ip_forward'), 'utf8'), '1\n');
  t.match(journal.entries(), [{ change: { kind: 'sysctl', previous: '0' } }]);
  t.same(resolveFixes(runPreflight(makeFacts()).findings), []);
});
