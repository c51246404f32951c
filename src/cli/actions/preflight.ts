import { formatFinding } from '../../preflight/format-finding.js';
import type { Finding } from '../../preflight/types.js';
import { installOptions } from '../options.js';
import { printResult } from '../output.js';
import { painter } from '../paint.js';
import type { Session } from '../session.js';

const colors = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

/** `preflight`: the checks that an install begins with, alone. Exit code 1 where one fails. */
export async function preflightAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const findings = await verbs.preflight(options, session.run);
  const skipped = options.skipPreflight;
  const passed = !findings.some((finding) => finding.severity === 'fail');
  printResult(session, { findings, skipped }, () => findingsText(findings, skipped, session.color.out), passed);
  return passed ? 0 : 1;
}

function findingsText(findings: readonly Finding[], skipped: readonly string[], color: boolean): string {
  const paint = painter(color);
  const lines = findings.flatMap((finding) => {
    const { severity } = finding;
    return formatFinding(finding).map((line) =>
      line.replace(new RegExp(`^${severity}`), paint(colors[severity], severity)),
    );
  });
  const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length;
  const tally = `${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed, ${skipped.length} skipped`;
  return [...lines, '', tally].join('\n');
}
