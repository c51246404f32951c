import { formatBytes } from '../../base/bytes.js';
import type { ImageListing } from '../../mirror/list-images.js';
import type { ObtainedImage } from '../../mirror/outcome.js';
import { describeSource } from '../../mirror/plan.js';
import { installOptions } from '../options.js';
import { printResult } from '../output.js';
import { runOperation } from '../run-operation.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

/** `images list`: the release's images and which of them the engine has. */
export async function listImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const rows = await verbs.listImages(options, session.run);
  printResult(session, rows, () => listingText(rows));
  return 0;
}

/** `images pull [name...]`: through the mirrors, or built where none serves them. */
export async function pullImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const rows = await runOperation(session, (run) => verbs.pullImages(options, session.invocation.args, run));
  printResult(session, rows, () => obtainedText(rows));
  return 0;
}

/** `images build [name...]`: from Debian packages, whatever the mirrors have. */
export async function buildImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  session.describeStop('stopping; what is built so far stays in the cache');
  const rows = await runOperation(session, (run) => verbs.buildImages(options, session.invocation.args, run));
  printResult(session, rows, () => obtainedText(rows));
  return 0;
}

/** `images tag [name...]`: puts the canonical names on images that the engine has under a mirror's. 1 where one is missing. */
export async function tagImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const rows = await verbs.tagImages(options, session.invocation.args, session.run);
  const complete = rows.every((row) => row.outcome !== 'missing');
  const text = () =>
    textTable(
      ['NAME', 'REFERENCE', 'OUTCOME', 'FROM'],
      rows.map((row) => [row.name, row.reference, row.outcome, row.from ?? '']),
    );
  printResult(session, rows, text, complete);
  return complete ? 0 : 1;
}

function listingText(rows: readonly ImageListing[]): string {
  return textTable(
    ['NAME', 'REFERENCE', 'IN ENGINE', 'SIZE', 'ORIGIN', 'BUILDABLE'],
    rows.map((row) => [
      row.name,
      row.reference,
      row.id === undefined ? 'no' : shortId(row.id),
      row.sizeBytes === undefined ? '' : formatBytes(row.sizeBytes),
      row.origin ?? '',
      row.buildable ? 'yes' : 'no',
    ]),
  );
}

function obtainedText(rows: readonly ObtainedImage[]): string {
  return textTable(
    ['NAME', 'REFERENCE', 'IN ENGINE', 'SIZE', 'FROM'],
    rows.map((row) => [
      row.name,
      row.reference,
      shortId(row.id),
      formatBytes(row.sizeBytes),
      row.changed ? describeSource(row.source) : 'there already',
    ]),
  );
}

/** As docker shows an id. */
function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
