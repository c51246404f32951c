import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, stat, statfs } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { formatBytes } from '../base/bytes.js';
import { HyperupError } from '../base/errors.js';
import { fileError } from '../base/files.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import { kubeletImageReference } from '../imagebuild/kubelet-image.js';
import { type BlobStage, openStage } from '../mirror/bundle/blob-stage.js';
import type { BundledImage, BundleManifest } from '../mirror/bundle/bundle-format.js';
import { openSink } from '../mirror/bundle/chunks.js';
import { readDeltaBase, splitDelta } from '../mirror/bundle/delta.js';
import { readImageConfig } from '../mirror/bundle/image-documents.js';
import { bundleSize, writeBundle } from '../mirror/bundle/write-bundle.js';
import { sha256Of } from '../mirror/content/digest.js';
import { formatPlatform, machinePlatform, parsePlatform } from '../mirror/copy/choose-platform.js';
import { formatLock } from '../mirror/lock/lock-format.js';
import type { ImageLock, LockEntry } from '../mirror/lock/types.js';
import { formatReference, parseReference } from '../registry/reference.js';
import type { Platform } from '../registry/types.js';
import { componentImage, componentSource } from '../release/image-of.js';
import { releaseFor } from '../release/release-for.js';
import type { ReleaseSpec } from '../release/types.js';
import { collectSet, readChosenLock, surveyWanted, wantedImages } from './bundle-collect.js';
import { collectKubelet } from './bundle-kubelet.js';
import { withCollectTools } from './bundle-tools.js';
import { findProgram } from './find-program.js';
import { planKubelet } from './plan-kubelet.js';
import { makeQuietRuntime, makeRuntime, type RunContext, type Runtime } from './runtime.js';

/** What `images save` is told beside the options of an install. */
export interface SaveRequest {
  readonly output: string;
  readonly images: readonly string[];
  readonly addons: readonly string[];
  /** `linux/arm64`; undefined: this machine's. */
  readonly platform: string | undefined;
  /** Undefined: one file. */
  readonly chunkBytes: number | undefined;
  /** An earlier bundle or a lock, whose layers are left out. */
  readonly since: string | undefined;
  readonly compress: boolean;
  readonly insecureRegistries: readonly string[];
}

export interface SaveResult {
  readonly files: readonly string[];
  readonly sizeBytes: number;
  /** Of `bundle.json`. */
  readonly digest: string;
  readonly release: string;
  readonly platform: string;
  readonly images: readonly {
    readonly name: string;
    readonly reference: string;
    readonly from: string;
    readonly digest: string;
    readonly sizeBytes: number;
  }[];
  /** What a delta left out, where it is one. */
  readonly leftOutBytes: number | undefined;
}

/**
 * Writes one file (or chunks) with everything that an install on a bare machine needs. What was fetched stays beside the
 * file in `FILE.staging` where it fails, and the next run goes on with it. Throws `ImageUnavailable`, `HostChangeFailed`.
 */
export function saveImages(options: InstallOptions, request: SaveRequest, run: RunContext = {}): Operation<SaveResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const output = resolve(request.output);
    await assertWritable(output);
    const platform = request.platform === undefined ? machinePlatform(process.arch) : parsePlatform(request.platform);
    const base =
      request.since === undefined ? undefined : await readDeltaBase(request.since, basename(request.since), platform);
    const lock = await readChosenLock(options.images);
    const choice = { ...request, without: base?.layers ?? new Set<string>() };
    return withCollectTools(options, request.insecureRegistries, { platform, lock }, runtime, async (tools) => {
      const stage = await openStage(`${output}.staging`);
      const set = await collectSet(options, choice, tools, stage, runtime);
      const images = [...set.images];
      const isOurs = formatPlatform(platform) === formatPlatform(machinePlatform(process.arch));
      if (isOurs) images.push(await collectKubelet(options, choice, tools, stage, runtime));
      else {
        const message = `the built-in kubelet's image is made of this machine's programs: left out for ${formatPlatform(platform)}`;
        emit({ type: 'note', level: 'warn', message, hint: 'The machine that installs makes it from its own Node.' });
      }
      const kubectl = await chooseKubectl(set.release, images, isOurs, runtime);
      const newLock = formatLock(await makeLock(images, set.from, stage, platform, lock));
      const blobs = listBlobs(images);
      const layers = new Set(images.flatMap((image) => image.layers.map(({ digest }) => digest)));
      const { kept, left } = splitDelta(blobs, layers, base);
      const manifest: BundleManifest = {
        format: 1,
        createdBy: `hyperup ${runtime.packageVersion}`,
        release: set.release.version,
        platform: { os: platform.os, architecture: platform.architecture },
        images,
        blobs: [...kept],
        ...(kubectl ? { kubectl: kubectl.entry } : {}),
        lock: { digest: sha256Of(Buffer.from(newLock)), size: Buffer.byteLength(newLock) },
        ...(base ? { base: { name: base.name, digest: base.digest, blobs: [...left] } } : {}),
      };
      const contents = {
        manifest,
        openBlob: (digest: string) => stage.open(digest),
        lock: newLock,
        ...(kubectl?.path === undefined ? {} : { openKubectl: () => createReadStream(kubectl.path ?? '') }),
      };
      await assertRoom(output, bundleSize(contents));
      const written = await writeBundle(contents, openSink(output, request.chunkBytes), {
        signal,
        onBytes: (currentBytes, totalBytes) => {
          emit({ type: 'transfer', image: basename(output), source: 'disk', currentBytes, totalBytes });
        },
      });
      await stage.remove();
      return {
        files: written.files,
        sizeBytes: written.size,
        digest: written.digest,
        release: set.release.version,
        platform: formatPlatform(platform),
        images: images.map(({ name, reference, manifest: { digest }, config, layers: own }) => ({
          name,
          reference,
          from: set.from.get(reference) ?? 'this machine',
          digest,
          sizeBytes: own.reduce((sum, { size }) => sum + size, config.size),
        })),
        leftOutBytes: base && left.reduce((sum, { size }) => sum + size, 0),
      };
    });
  }, run.signal);
}

export interface SavePlan {
  readonly release: string;
  readonly platform: string;
  readonly output: string;
  readonly images: readonly {
    readonly name: string;
    readonly reference: string;
    readonly source: 'engine' | 'mirror' | 'made here' | 'unavailable';
    readonly detail: string;
    /** In the engine: unpacked; at a registry: as it is sent. Undefined: not known. */
    readonly sizeBytes: number | undefined;
  }[];
}

/** Where everything would come from; nothing is fetched or written. */
export async function planSave(options: InstallOptions, request: SaveRequest, run: RunContext = {}): Promise<SavePlan> {
  const runtime = makeQuietRuntime(run);
  const platform = request.platform === undefined ? machinePlatform(process.arch) : parsePlatform(request.platform);
  const lock = await readChosenLock(options.images);
  const { cluster } = options;
  const { layouts } = planKubelet(cluster.kubelet, releaseFor(cluster.kubernetesVersion));
  return withCollectTools(options, request.insecureRegistries, { platform, lock }, runtime, async (tools) => {
    const surveyed: SavePlan['images'][] = [];
    for (const layout of layouts) {
      const wanted = wantedImages(releaseFor(cluster.kubernetesVersion, layout), request);
      const images = await Promise.all(wanted.map((image) => surveyWanted(image, options, tools, runtime)));
      surveyed.push(images);
      if (images.every(({ source }) => source !== 'unavailable')) break;
    }
    const complete = surveyed.find((images) => images.every(({ source }) => source !== 'unavailable'));
    const kubelet = {
      name: 'kubelet',
      reference: kubeletImageReference(runtime.packageVersion),
      source: 'made here' as const,
      detail: "from this machine's Node",
      sizeBytes: undefined,
    };
    const isOurs = formatPlatform(platform) === formatPlatform(machinePlatform(process.arch));
    return {
      release: cluster.kubernetesVersion,
      platform: formatPlatform(platform),
      output: resolve(request.output),
      images: [...(complete ?? surveyed[0] ?? []), ...(isOurs ? [kubelet] : [])],
    };
  });
}

/** Manifests and configs first: whoever reads the file learns soon what is in it. */
function listBlobs(images: readonly BundledImage[]): readonly { readonly digest: string; readonly size: number }[] {
  const documents = images.flatMap(({ manifest, config, oci }) => [manifest, config, ...(oci ? [oci] : [])]);
  const layers = images.flatMap((image) => image.layers);
  const sized = [...documents, ...layers].map(({ digest, size }) => [digest, { digest, size }] as const);
  return [...new Map(sized).values()];
}

/** hyperkube is kubectl too, and 140 MB: it is not put in twice. Else this machine's own goes along. */
async function chooseKubectl(
  release: ReleaseSpec,
  images: readonly BundledImage[],
  isOurs: boolean,
  runtime: Runtime,
): Promise<{ readonly entry: NonNullable<BundleManifest['kubectl']>; readonly path: string | undefined } | undefined> {
  if (release.components.kubectl !== undefined) {
    const reference = formatReference(parseReference(componentImage(release, 'kubectl')));
    const [path = '/hyperkube'] = componentSource(release, 'kubectl').command;
    if (images.some((image) => image.reference === reference)) {
      return { entry: { image: reference, path }, path: undefined };
    }
  }
  const path = isOurs ? await findProgram('kubectl', runtime.env['PATH']) : undefined;
  if (path === undefined) {
    const message = 'no image of the release has kubectl and this machine has none: the bundle is without';
    runtime.emit({ type: 'note', level: 'warn', message });
    return undefined;
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const { size } = await stat(path);
  return { entry: { digest: `sha256:${hash.digest('hex')}`, size }, path };
}

/** The user's lock where it speaks of an image, else what went in; with its layers, so that a delta can be made since it. */
async function makeLock(
  images: readonly BundledImage[],
  from: ReadonlyMap<string, string>,
  stage: BlobStage,
  platform: Platform,
  chosen: ImageLock | undefined,
): Promise<ImageLock> {
  const entries: Record<string, LockEntry> = {};
  for (const { reference, manifest, config, layers } of images) {
    const known = chosen?.images[reference];
    if (known !== undefined && Object.values(known.platforms).some((one) => one.manifest === manifest.digest)) {
      entries[reference] = known;
      continue;
    }
    const created = readImageConfig(await stage.read(config.digest))?.created;
    const at = created === undefined ? Number.NaN : Date.parse(created);
    entries[reference] = {
      digest: manifest.digest,
      mediaType: manifest.mediaType,
      platforms: {
        [formatPlatform({ os: platform.os, architecture: platform.architecture })]: {
          manifest: manifest.digest,
          config: config.digest,
          size: layers.reduce((sum, { size }) => sum + size, config.size),
          layers: layers.map(({ digest }) => digest),
        },
      },
      source: from.get(reference) ?? 'this machine',
      // The image's own time: the same images make the same file.
      at: new Date(Number.isNaN(at) ? 0 : at).toISOString(),
    };
  }
  return { version: 1, images: entries };
}

async function assertWritable(output: string): Promise<void> {
  try {
    await access(dirname(output), constants.W_OK);
  } catch (error) {
    throw fileError('write', output, error);
  }
  const found = await stat(output).catch(() => undefined);
  if (found?.isDirectory()) throw new HyperupError('Usage', `write ${output}: it is a folder, want the name of a file`);
}

/** Said before the minutes of writing, not after them. */
async function assertRoom(output: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(output));
  if (bavail * bsize >= bytes) return;
  throw new HyperupError(
    'HostChangeFailed',
    `write ${output}: got ${formatBytes(bavail * bsize)} of free disk, want ${formatBytes(bytes)}`,
    { hint: 'Free some room, or choose another disk with -o.' },
  );
}
