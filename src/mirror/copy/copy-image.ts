import { dirname } from 'node:path';
import { HyperupError, throwIfAborted } from '../../base/errors.js';
import { makeFolder } from '../../base/make-folder.js';
import type { Descriptor, ManifestContent } from '../../registry/types.js';
import { toAccepted } from '../content/convert-manifests.js';
import type { CopyReport } from '../content/types.js';
import { inParallel } from './in-parallel.js';
import { describeLeftovers } from './leftovers.js';
import { type BlobTransfer, heldWholeBytes, stagedPath, transferBlob } from './transfer-blob.js';
import { makeTransferMeter, type TransferMeter } from './transfer-meter.js';
import { makeTurns } from './turns.js';
import type { CopyPlan, CopyRequest } from './types.js';
import { type ImageTree, walkImage } from './walk-image.js';

const blobsAtOnce = 4;
/** Beside them: a short one waits for answers and not for bytes. */
const shortBlobsAtOnce = 4;
const questionsAtOnce = 8;

/** What would be copied. Asks the target for every blob (and so mounts some where the writer mounts); sends nothing. Errors: as `copyImage`. */
export async function planCopy(
  request: Pick<CopyRequest, 'source' | 'target' | 'platform' | 'signal'>,
): Promise<CopyPlan> {
  const { source, platform, signal } = request;
  const tree = await walkImage(source, platform, signal);
  const root = acceptedManifests(tree, request).at(-1) ?? tree.root;
  return await planBlobs(tree, root, request);
}

/**
 * Copies an image: blobs that the target lacks, the largest first and several at once, short ones beside them, then
 * manifests from the leaves to the root, then `commit`. The first failure stops the rest and aborts the target; what has
 * come in until then is kept for the next run, and told.
 *
 * Errors: `NotFound` (no such image, or nothing in it for the platform), `InvalidConfig` (a manifest that can't be read
 * or that the target can't hold), `ImageUnavailable`, `DigestMismatch`, `Aborted` and what reader and writer reject with.
 */
export async function copyImage(request: CopyRequest): Promise<CopyReport> {
  const { source, target, platform, reference, cacheDir, signal, logger } = request;
  // Made while others are asked: in a fresh cache it takes a dozen steps.
  const isStaged = (source.origins ?? []).length > 0 && target.stagingPath === undefined;
  const staging = isStaged ? makeFolder(dirname(stagedPath(cacheDir, 'sha256:x')), 0o700) : Promise.resolve();
  staging.catch(() => {});
  const removals: Promise<void>[] = [];
  const { onRemoving = (work) => removals.push(work) } = request;
  try {
    const tree = await walkImage(source, platform, signal);
    const manifests = acceptedManifests(tree, request);
    const root = manifests.at(-1) ?? tree.root;
    const plan = await planBlobs(tree, root, request);
    logger.debug('Copying an image', {
      digest: plan.digest,
      missing: plan.missing.length,
      present: plan.present.length,
    });
    const meter = makeTransferMeter({
      ...request,
      image: source.name,
      source: source.name,
      totalBytes: sizeOf(plan.missing),
    });
    await transferAll(plan.missing, meter, { staging, onRemoving }, request);
    for (const manifest of manifests) {
      throwIfAborted(signal, `copy ${source.name}`);
      await target.putManifest(manifest, manifest === root ? reference : undefined, signal);
    }
    await target.commit(signal);
    await Promise.all(removals);
    return {
      digest: root.digest,
      blobs: { copied: plan.missing.length, present: plan.present.length },
      bytes: { moved: meter.moved, present: sizeOf(plan.present) + meter.found },
      from: meter.from,
    };
  } catch (error) {
    await target.abort();
    throw signal?.aborted === true ? interrupted(request, error) : error;
  }
}

async function transferAll(
  missing: readonly Descriptor[],
  meter: TransferMeter,
  cache: Pick<BlobTransfer, 'staging' | 'onRemoving'>,
  request: CopyRequest,
): Promise<void> {
  const { source, target, uploads, fetcher, cacheDir, signal, logger, emit, concurrency = blobsAtOnce } = request;
  const largestFirst = [...missing].sort((a, b) => b.size - a.size);
  const long = largestFirst.filter(({ size }) => size > heldWholeBytes);
  const short = largestFirst.filter(({ size }) => size <= heldWholeBytes);
  let goOn: () => void = () => {};
  const underWay = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const transfer = (blob: Descriptor, stop: AbortSignal, onMoved: () => void) => {
    const onBytes = (bytes: number, origin: string | undefined) => {
      onMoved();
      meter.add(bytes, origin);
    };
    const parts = { source, target, uploads, fetcher, cacheDir, ...cache, onBytes, signal: stop, logger };
    return transferBlob(blob, parts);
  };
  const { turns = makeTurns(request.clock) } = request;
  const inTurn = async (blob: Descriptor, stop: AbortSignal) => {
    const turn = await turns.take(blob.size, stop);
    const onMoved = () => {
      turn.moved();
      goOn();
    };
    await transfer(blob, stop, onMoved).finally(turn.leave);
  };
  const groups = [
    (stop: AbortSignal) => inParallel(long, concurrency, stop, inTurn).finally(goOn),
    async (stop: AbortSignal) => {
      // What takes longest comes first.
      await underWay;
      await inParallel(short, shortBlobsAtOnce, stop, (blob, stopOne) => transfer(blob, stopOne, () => {}));
    },
  ];
  try {
    await inParallel(groups, groups.length, signal, (group, stop) => group(stop));
    if (missing.length > 0) meter.end();
  } catch (error) {
    const left = await describeLeftovers(missing, request);
    if (left !== undefined) emit({ type: 'note', level: 'info', message: left });
    throw error;
  }
}

async function planBlobs(
  tree: ImageTree,
  root: ManifestContent,
  { target, signal }: Pick<CopyRequest, 'target' | 'signal'>,
): Promise<CopyPlan> {
  const hasAll = !tree.isIndex && (await target.hasImage?.(root, signal)) === true;
  // As skopeo: who keeps manifests as they are may do without layers that are not to be distributed.
  const isLeftOut = (blob: Descriptor) => target.accepts.index && blob.urls !== undefined;
  const foreign = tree.blobs.filter(isLeftOut);
  const wanted = tree.blobs.filter((blob) => !isLeftOut(blob));
  const there = new Set<string>(hasAll ? wanted.map(({ digest }) => digest) : []);
  if (!hasAll) {
    await inParallel(wanted, questionsAtOnce, signal, async (blob, stop) => {
      if (await target.hasBlob(blob, stop)) there.add(blob.digest);
    });
  }
  return {
    digest: tree.root.digest,
    mediaType: tree.root.mediaType,
    manifests: tree.manifests.length,
    missing: wanted.filter(({ digest }) => !there.has(digest)),
    present: wanted.filter(({ digest }) => there.has(digest)),
    foreign,
  };
}

/** The manifests as the target holds them. Refuses what it can't hold before anything is sent. */
function acceptedManifests(
  tree: ImageTree,
  { source, target }: Pick<CopyRequest, 'source' | 'target'>,
): readonly ManifestContent[] {
  if (tree.isIndex && !target.accepts.index) {
    throw new HyperupError(
      'InvalidConfig',
      `copy ${source.name} to ${target.name}: it is an index of images, want one image`,
      {
        hint: 'Choose one with --platform, or copy to a registry or an OCI layout.',
      },
    );
  }
  return toAccepted(tree.manifests, target.accepts);
}

function sizeOf(blobs: readonly Descriptor[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

function interrupted({ source, target, signal }: CopyRequest, cause: unknown): HyperupError {
  return new HyperupError('Aborted', `copy ${source.name} to ${target.name}: interrupted`, {
    cause: signal?.reason ?? cause,
  });
}
