import t from 'tap';
import { allChecks, preflightIds } from '../../../src/preflight/checks/all-checks.js';
import { known, unknown } from '../../../src/preflight/facts.js';
import { runPreflight } from '../../../src/preflight/run-preflight.js';
import { engineCases } from './engine-cases.js';
import { makeFacts } from './good-facts.js';
import { machineCases } from './machine-cases.js';
import { networkCases } from './network-cases.js';
import { roomCases } from './room-cases.js';

const checkCases = { ...engineCases, ...machineCases, ...networkCases, ...roomCases };

t.test('a machine with nothing to complain of passes every check', async (t) => {
  const { findings, failed, skipped } = runPreflight(makeFacts());
  t.equal(failed, false);
  t.same(skipped, []);
  t.same(
    findings.map(({ id }) => id),
    preflightIds,
  );
  for (const finding of findings) {
    t.match(finding, { severity: 'ok', fix: '', fixes: [] }, `${finding.id}: ${finding.found}`);
  }
});

for (const [id, cases] of Object.entries(checkCases)) {
  t.test(id, async (t) => {
    const check = allChecks.find((candidate) => candidate.id === id);
    if (!check) throw new Error(`no check ${id}`);
    for (const { name, values, severity, found, fix, fixes } of cases) {
      const finding = check.run(makeFacts(values));
      t.equal(finding.severity, severity, name);
      t.match(finding.found, found, `${name}: what was found`);
      if (fix) t.match(finding.fix, fix, `${name}: the fix`);
      if (severity !== 'ok') t.not(finding.fix === '' && id !== 'privileged', true, `${name}: a fault has a fix`);
      t.strictSame(finding.fixes, fixes ?? [], `${name}: what install does`);
    }
  });
}

t.test('every check but the plainest has a case of a fault', async (t) => {
  t.same(
    preflightIds.filter(
      (id) =>
        !(Object.entries(checkCases).find(([key]) => key === id)?.[1] ?? []).some(({ severity }) => severity !== 'ok'),
    ),
    [],
  );
  t.equal(new Set(preflightIds).size, preflightIds.length);
});

t.test('a fact that could not be had is a warning with the reason, in each check that needs it', async (t) => {
  for (const check of allChecks) {
    for (const need of check.needs) {
      const finding = check.run(makeFacts({}, { [need]: unknown('no answer after 1.5 s') }));
      t.match(
        finding,
        { severity: 'warn', found: 'could not be examined: no answer after 1.5 s' },
        `${check.id} without ${need}`,
      );
    }
  }
});

t.test('all faults come in one go', async (t) => {
  const facts = makeFacts(
    { uid: 1000, cpus: 1 },
    { memory: known({ totalBytes: 5e8, availableBytes: 1e8, swapTotalBytes: 1 }) },
  );
  const faults = runPreflight(facts).findings.filter(({ severity }) => severity !== 'ok');
  t.same(
    faults.map(({ id, severity }) => `${id} ${severity}`),
    ['root fail', 'memory fail', 'cpu warn', 'swap warn'],
  );
});
