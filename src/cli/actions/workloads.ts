import { formatBytes } from '../../base/bytes.js';
import { throwIfAborted } from '../../base/errors.js';
import type { WatchReport } from '../../mirror/workloads/watch-workloads.js';
import type { ImportedImage, ImportPlan } from '../../provision/workload-verbs.js';
import { flagOption, installOptions, listOption, textOption, transferOptions } from '../options.js';
import { printResult } from '../output.js';
import { runLines } from '../run-lines.js';
import { runTransfer } from '../run-transfer.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

/** `images import IMAGE…`: the user's own, under their own names. With `--dry-run` 1 where one can't be had. */
export async function importImagesAction(session: Session): Promise<number> {
  const options = await transferOptions(session);
  const request = { images: session.invocation.args, platform: textOption(session, 'platform') };
  const verbs = await session.dependencies.loadVerbs();
  if (flagOption(session, 'dryRun')) {
    const rows = await verbs.planImport(options, request, session.run);
    const complete = rows.every(({ source }) => source !== 'unavailable');
    printResult(session, rows, () => planText(rows), complete);
    return complete ? 0 : 1;
  }
  session.describeStop('stopping; what has come in is kept for the next run');
  const rows = await runTransfer(session, (run) => verbs.importImages(options, request, run));
  printResult(session, rows, () => (session.quiet ? '' : importedText(rows)));
  return 0;
}

/** `images watch`: goes on until it is interrupted, which is its proper end. With `--once` 1 where a pod still waits. */
export async function watchImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const request = { namespaces: listOption(session, 'namespace'), once: flagOption(session, 'once') };
  const verbs = await session.dependencies.loadVerbs();
  session.describeStop('the watch ends; what has come in of an image is kept for the next run');
  const report = await runLines(session, (run) => verbs.watchImages(options, request, run));
  if (request.once) throwIfAborted(session.signal, 'get images of pods');
  const complete = report.refused.length === 0 && report.images.every(({ outcome }) => outcome === 'brought');
  printResult(session, report, () => (session.quiet ? '' : reportText(report, request.once)), complete);
  return complete ? 0 : 1;
}

function planText(rows: readonly ImportPlan[]): string {
  const table = textTable(
    ['REFERENCE', 'FROM', 'SIZE', 'DETAIL'],
    rows.map(({ reference, source, sizeBytes, detail }) => [
      reference,
      source,
      sizeBytes === undefined ? '' : formatBytes(sizeBytes),
      detail,
    ]),
  );
  return `${table}\nNothing has been brought.`;
}

function importedText(rows: readonly ImportedImage[]): string {
  return textTable(
    ['REFERENCE', 'IN ENGINE', 'SIZE', 'FROM'],
    rows.map(({ reference, id, sizeBytes, changed, from }) => [
      reference,
      id.replace(/^sha256:/, '').slice(0, 12),
      formatBytes(sizeBytes),
      changed ? from : 'there already',
    ]),
  );
}

function reportText({ brought, images, refused }: WatchReport, once: boolean): string {
  if (!once) return `${brought} ${brought === 1 ? 'image' : 'images'} brought.`;
  if (images.length === 0 && refused.length === 0) return 'No pod waits for an image.';
  const rows = [
    ...images.map(({ reference, outcome, detail, pods }) => [reference, outcome, pods.join(' '), detail]),
    ...refused.map(({ image, pod, remedy }) => [image, 'not helped', pod, remedies[remedy]]),
  ];
  return textTable(['IMAGE', 'OUTCOME', 'PODS', 'DETAIL'], rows);
}

const remedies = {
  always: 'imagePullPolicy is Always',
  never: 'imagePullPolicy is Never',
  digest: 'named by digest',
} as const;
