import { formatBytes, formatDuration } from '../../base/bytes.js';
import { HyperupError } from '../../base/errors.js';
import type { LoadResult, SavePlan, SaveResult, Serving, SyncResult } from '../../provision/bundle-verbs.js';
import { flagOption, installOptions, listOption, setOptions, textOption, transferOptions } from '../options.js';
import { printResult } from '../output.js';
import { parseSize } from '../parse-size.js';
import { runTransfer } from '../run-transfer.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

/** `images save -o FILE`: everything that an install needs, in one file. */
export async function saveImagesAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const chunkSize = textOption(session, 'chunkSize');
  const request = {
    ...setOf(session),
    output: textOption(session, 'output') ?? '',
    chunkBytes: chunkSize === undefined ? undefined : parseSize(chunkSize, '--chunk-size'),
    since: textOption(session, 'since'),
    compress: flagOption(session, 'compress'),
  };
  const verbs = await session.dependencies.loadVerbs();
  if (options.dryRun) {
    const plan = await verbs.planSave(options, request, session.run);
    printResult(session, plan, () => savePlanText(plan));
    return 0;
  }
  session.describeStop('stopping; what has come in is kept beside the file for the next run');
  const result = await runTransfer(session, (run) => verbs.saveImages(options, request, run));
  printResult(session, result, () => (session.quiet ? '' : saveText(result)));
  return 0;
}

/** `images load FILE`: into the engine or a registry, all or nothing. */
export async function loadImagesAction(session: Session): Promise<number> {
  const options = await transferOptions(session);
  const request = {
    file: session.invocation.args[0] ?? '',
    to: textOption(session, 'to') ?? 'engine',
    insecureRegistries: listOption(session, 'insecureRegistry'),
  };
  const verbs = await session.dependencies.loadLoadVerbs();
  session.describeStop('stopping; nothing of the bundle is kept');
  const result = await runTransfer(session, (run) => verbs.loadImages(options, request, run));
  printResult(session, result, () => (session.quiet ? '' : loadText(result)));
  return 0;
}

/** `images serve FILE`: a read-only registry until it is interrupted, which is its proper end. */
export async function serveImagesAction(session: Session): Promise<number> {
  const options = await transferOptions(session);
  const request = {
    file: session.invocation.args[0] ?? '',
    listen: textOption(session, 'listen') ?? ':5000',
    tlsCert: textOption(session, 'tlsCert'),
    tlsKey: textOption(session, 'tlsKey'),
    plain: flagOption(session, 'plain'),
    onServing: (serving: Serving) => printResult(session, serving, () => servingText(serving)),
  };
  const verbs = await session.dependencies.loadVerbs();
  session.describeStop('the registry stops');
  await runTransfer(session, (run) => verbs.serveImages(options, request, run));
  return 0;
}

/** `images sync --to docker://…`: the release's set into a private registry. */
export async function syncImagesAction(session: Session): Promise<number> {
  const options = await setOptions(session);
  const request = { ...setOf(session), to: textOption(session, 'to') ?? '' };
  const verbs = await session.dependencies.loadSyncVerbs();
  session.describeStop('stopping; what has come in is kept for the next run');
  const result = await runTransfer(session, (run) => verbs.syncImages(options, request, run));
  printResult(session, result, () => (session.quiet ? '' : syncText(result)));
  return 0;
}

function setOf(session: Session) {
  const images = listOption(session, 'image');
  const empty = images.find((image) => image.trim() === '');
  if (empty !== undefined) throw new HyperupError('Usage', 'check options: --image: got nothing, want a reference');
  return {
    images,
    addons: listOption(session, 'addon'),
    platform: textOption(session, 'platform'),
    insecureRegistries: listOption(session, 'insecureRegistry'),
  };
}

function savePlanText({ release, platform, output, images }: SavePlan): string {
  const rows = images.map(({ name, reference, source, sizeBytes, detail }) => [
    name,
    reference,
    source,
    sizeBytes === undefined ? 'unknown' : formatBytes(sizeBytes),
    detail,
  ]);
  const table = textTable(['IMAGE', 'REFERENCE', 'FROM', 'SIZE', 'DETAIL'], rows);
  return `${output}: Kubernetes ${release} for ${platform}; nothing has been written.\n\n${table}`;
}

function saveText({ files, sizeBytes, release, platform, images, leftOutBytes }: SaveResult): string {
  const [first = ''] = files;
  const list = files.length === 1 ? first : `${files.length - 1} chunks and ${files.at(-1)}`;
  const delta = leftOutBytes === undefined ? '' : `; a delta: ${formatBytes(leftOutBytes)} are left to its base`;
  const rows = images.map(({ name, reference, from, sizeBytes: size }) => [name, reference, from, formatBytes(size)]);
  const target = files.length === 1 ? first : (files.at(-1) ?? '');
  return [
    `Wrote ${list}: Kubernetes ${release} for ${platform}, ${formatBytes(sizeBytes)}${delta}.`,
    '',
    textTable(['IMAGE', 'REFERENCE', 'FROM', 'SIZE'], rows),
    '',
    'On the machine without a network:',
    `  hyperup install --bundle ${target}`,
  ].join('\n');
}

function loadText({ target, images, elapsedMs, mirror }: LoadResult): string {
  const rows = images.map(({ name, target: place }) => [name, place]);
  const where = target === 'engine' ? 'the engine' : target;
  const lines = [
    `Loaded ${images.length} images into ${where} in ${formatDuration(elapsedMs)}.`,
    '',
    textTable(['IMAGE', 'AS'], rows),
  ];
  return [...lines, ...(mirror === undefined ? [] : mirrorLines(mirror))].join('\n');
}

function syncText({ target, images, mirror }: SyncResult): string {
  const rows = images.map(({ reference, target: place, changed, movedBytes }) => [
    reference,
    place,
    changed ? formatBytes(movedBytes) : 'was there',
  ]);
  const head = `${images.length} images are in ${target}.`;
  return [head, '', textTable(['IMAGE', 'AS', 'MOVED'], rows), ...mirrorLines(mirror)].join('\n');
}

function mirrorLines(mirror: string): readonly string[] {
  return ['', 'To install from there:', `  hyperup install --mirror ${mirror} --mirror none`];
}

function servingText({ urls, release, images, caPath, fingerprint }: Serving): string {
  const [url = ''] = urls;
  const host = url.replace(/^https?:\/\//, '');
  const lines = [
    `Serving Kubernetes ${release} (${images.length} images) at ${urls.join(', ')}. Ctrl-C ends it.`,
    '',
    'On the other machines:',
  ];
  if (fingerprint === undefined) {
    lines.push(
      `  hyperup engine configure --insecure-registry ${host}`,
      `  hyperup install --mirror ${url} --mirror none`,
    );
    return lines.join('\n');
  }
  if (caPath !== undefined) {
    lines.push(`  copy ${caPath} to /etc/docker/certs.d/${host}/ca.crt`);
  }
  lines.push(`  hyperup install --mirror ${host} --mirror none`, '', `Certificate (SHA-256): ${fingerprint}`);
  return lines.join('\n');
}
