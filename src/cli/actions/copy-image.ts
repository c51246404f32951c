import { formatBytes, formatDuration } from '../../base/bytes.js';
import { HyperupError } from '../../base/errors.js';
import type { CopyImageOptions, CopyImagePlan, CopyImageResult } from '../../provision/copy-verbs.js';
import { flagOption, listOption, textOption, transferOptions } from '../options.js';
import { printResult } from '../output.js';
import { runTransfer } from '../run-transfer.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

/** `images copy SOURCE TARGET`: any to any; only what the target lacks moves. */
export async function copyImageAction(session: Session): Promise<number> {
  const dryRun = flagOption(session, 'dryRun');
  if (flagOption(session, 'all') && textOption(session, 'platform') !== undefined) {
    throw new HyperupError('Usage', 'check options: --all and --platform: choose one');
  }
  // Both take their time, and neither needs the other.
  const [verbs, options] = await Promise.all([session.dependencies.loadCopyVerbs(), copyOptions(session)]);
  if (dryRun) {
    const plan = await verbs.planImageCopy(options, session.run);
    printResult(session, plan, () => planText(plan));
    return 0;
  }
  session.describeStop('stopping; what has come in is kept for the next run');
  const result = await runTransfer(session, (run) => verbs.copyImage(options, run));
  printResult(session, result, () => (session.quiet ? '' : resultText(result)));
  return 0;
}

async function copyOptions(session: Session): Promise<CopyImageOptions> {
  const { images, engineHost } = await transferOptions(session);
  const [source = '', target = ''] = session.invocation.args;
  return {
    source,
    target,
    platform: flagOption(session, 'all') ? 'all' : textOption(session, 'platform'),
    mirrors: images.mirrors,
    lock: images.lock,
    cacheDir: images.cacheDir,
    stallMs: images.stallMs,
    engineHost,
    insecureRegistries: listOption(session, 'insecureRegistry'),
  };
}

function resultText({ source, target, digest, blobs, bytes, from, elapsedMs }: CopyImageResult): string {
  const rate = elapsedMs > 0 ? ` (${formatBytes((bytes.moved * 1000) / elapsedMs)}/s)` : '';
  const origins = from.map(({ origin, bytes: part }) =>
    from.length === 1 ? origin : `${origin} (${formatBytes(part)})`,
  );
  const moved =
    bytes.moved === 0
      ? 'nothing had to move'
      : `${formatBytes(bytes.moved)} in ${formatDuration(elapsedMs)}${rate} from ${origins.join(', ')}`;
  const there = bytes.present === 0 ? '' : `; ${formatBytes(bytes.present)} were there`;
  const lines = [
    `Copied ${source} to ${target}: ${count(blobs.copied, 'blob')}, ${moved}${there}`,
    `Digest: ${digest}`,
  ];
  return lines.join('\n');
}

function planText({ source, target, digest, missing, present, mirrors }: CopyImagePlan): string {
  const rows = [
    ...missing.map((blob) => [blob.digest, formatBytes(blob.size), 'to be copied']),
    ...present.map((blob) => [blob.digest, formatBytes(blob.size), 'there']),
  ];
  const bytes = missing.reduce((sum, { size }) => sum + size, 0);
  return [
    `${source} to ${target}: ${count(missing.length, 'blob')}, ${formatBytes(bytes)} to be copied`,
    `Digest: ${digest}`,
    ...(mirrors.length === 0 ? [] : [`From: ${mirrors.join(', ')}`]),
    '',
    textTable(['BLOB', 'SIZE', 'STATE'], rows),
  ].join('\n');
}

function count(n: number, noun: string): string {
  return n === 1 ? `1 ${noun}` : `${n} ${noun}s`;
}
