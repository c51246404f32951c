import { resolve } from 'node:path';
import { formatBytes, formatDuration } from '../../base/bytes.js';
import type { InstallOptions } from '../../config/types.js';
import { defaultLockName } from '../../mirror/lock/lock-file.js';
import type { VerifiedImage } from '../../mirror/lock/verify-lock.js';
import type { MirrorReport, MirrorSurvey } from '../../mirror/survey-mirrors/types.js';
import type { LockResult } from '../../provision/lock-verbs.js';
import { flagOption, installOptions, listOption, textOption } from '../options.js';
import { printResult } from '../output.js';
import { runOperation } from '../run-operation.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

/** `images lock [name...]`: what references stand for, written down. With `--check` 1 where the file is out of date. */
export async function lockImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const request = {
    names: session.invocation.args,
    file: lockFile(session, options),
    platforms: listOption(session, 'platform'),
    check: flagOption(session, 'check'),
    prune: flagOption(session, 'prune'),
  };
  const result = await runOperation(session, (run) => verbs.lockImages(options, request, run));
  printResult(session, result, () => lockText(result), !result.outdated);
  return result.outdated ? 1 : 0;
}

/** `images verify`: the engine's images, and with `--remote` the registries', against the lock. 1 where one differs. */
export async function verifyImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const request = { file: lockFile(session, options), remote: flagOption(session, 'remote') };
  const rows = await runOperation(session, (run) => verbs.verifyImages(options, request, run));
  const same = rows.every(({ findings }) => findings.every(({ state }) => state !== 'differs'));
  printResult(session, rows, () => (session.quiet && same ? '' : verifiedText(rows)), same);
  return same ? 0 : 1;
}

/** `images mirrors`: a test of each mirror with a real blob. 1 where no mirror serves anything. */
export async function mirrorsAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const survey = await verbs.surveyMirrors(options, session.run);
  const usable = survey.mirrors.some(({ bytesPerSecond }) => bytesPerSecond !== undefined);
  printResult(session, survey, () => surveyText(survey, session.verbose), usable);
  return usable ? 0 : 1;
}

/** `--file`, else the lock that installs are held to, else the usual name in the current folder. */
function lockFile(session: Session, options: Pick<InstallOptions, 'images'>): string {
  const { workingDir } = session.dependencies.readHost(session.dependencies.env);
  return resolve(workingDir, textOption(session, 'file') ?? options.images.lock ?? defaultLockName);
}

function lockText({ file, images, changes, outdated }: LockResult): string {
  const changeOf = new Map(changes.map(({ reference, change }) => [reference, change]));
  const rows = images.map(({ name, reference, entry }) => [
    name,
    reference,
    entry ? entry.digest.slice(0, 19) : 'not found',
    entry ? Object.keys(entry.platforms).join(' ') : '',
    entry?.source ?? '',
    changeOf.get(reference) ?? '',
  ]);
  const removed = changes.filter(({ change }) => change === 'removed').map(({ reference }) => `removed ${reference}`);
  const isSame = changes.every(({ change }) => change === 'same');
  const end = outdated ? `${file} is out of date` : `${file} ${isSame ? 'is as it was' : 'written'}`;
  const table = textTable(['NAME', 'REFERENCE', 'DIGEST', 'PLATFORMS', 'BELIEVED', 'CHANGE'], rows);
  return [table, ...removed, end].join('\n');
}

function verifiedText(rows: readonly VerifiedImage[]): string {
  return textTable(
    ['REFERENCE', 'PLACE', 'STATE', 'DETAIL'],
    rows.flatMap(({ reference, findings }) =>
      findings.map(({ place, state, detail }) => [reference, place, state, detail]),
    ),
  );
}

function surveyText(survey: MirrorSurvey, verbose: boolean): string {
  const table = textTable(
    ['MIRROR', 'REACHABLE', 'LATENCY', 'SPEED', 'IMAGES', 'WRONG'],
    survey.mirrors.map((report) => [
      report.mirror,
      report.reachable ? 'yes' : 'no',
      report.latencyMs === undefined ? '' : formatDuration(report.latencyMs),
      report.bytesPerSecond === undefined ? '' : `${formatBytes(report.bytesPerSecond)}/s`,
      `${report.images.filter(({ has }) => has).length}/${report.images.length}`,
      report.fault?.reason ?? '',
    ]),
  );
  return [table, ...(verbose ? survey.mirrors.flatMap(missingLines) : []), ...adviceLines(survey)].join('\n');
}

function missingLines({ mirror, images }: MirrorReport): readonly string[] {
  return images.flatMap(({ name, has, detail }) => (has ? [] : [`${mirror}: no ${name}: ${detail}`]));
}

function adviceLines({ suggestion, uncovered, notAsked, mirrors }: MirrorSurvey): readonly string[] {
  const lines: string[] = [];
  if (notAsked.length > 0) lines.push(`Not asked, since they copy other registries: ${notAsked.join(', ')}`);
  const upstream = mirrors.some(({ word, bytesPerSecond }) => word === 'upstream' && bytesPerSecond !== undefined);
  if (suggestion.length > 0) lines.push(`Use: ${suggestion.map((word) => `--mirror ${quoted(word)}`).join(' ')}`);
  else if (upstream) lines.push('No --mirror is needed: the canonical registry serves.');
  if (uncovered.length > 0) lines.push(`None has ${uncovered.join(', ')}`);
  return lines.length === 0 ? [] : ['', ...lines];
}

/** Braces are the shell's. */
function quoted(word: string): string {
  return /^[\w.:/-]+$/.test(word) ? word : `'${word}'`;
}
