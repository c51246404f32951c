import { lookup } from 'node:dns/promises';
import { HyperupError } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { InstallOptions } from '../config/types.js';
import { machinePlatform, parsePlatform } from '../mirror/copy/choose-platform.js';
import { imageArchitecture } from '../mirror/engine-view.js';
import {
  type LockChange,
  mergeLocks,
  readLockFile,
  readLockFileIfPresent,
  writeLockFile,
} from '../mirror/lock/lock-file.js';
import { type LockedImage, lockImages as lockReleaseImages } from '../mirror/lock/lock-images.js';
import { type VerifiedImage, verifyLock } from '../mirror/lock/verify-lock.js';
import { surveyMirrors as testMirrors } from '../mirror/survey-mirrors/survey-mirrors.js';
import type { MirrorSurvey } from '../mirror/survey-mirrors/types.js';
import type { Platform } from '../registry/types.js';
import { releaseFor } from '../release/release-for.js';
import type { ReleaseImage } from '../release/types.js';
import { withRegistries } from './image-sources.js';
import { planKubelet } from './plan-kubelet.js';
import { makeQuietRuntime, makeRuntime, type RunContext, type Runtime } from './runtime.js';
import { withEngine } from './with-engine.js';

export interface LockRequest {
  /** Images by name; none: all that an install of this version may need. */
  readonly names: readonly string[];
  /** The lock's path. */
  readonly file: string;
  /** `all`, or as `parsePlatform` reads them; none: the engine's, else this machine's. */
  readonly platforms: readonly string[];
  /** Writes nothing. */
  readonly check: boolean;
  /** Takes out what is not of this release. */
  readonly prune: boolean;
}

export interface LockResult {
  readonly file: string;
  readonly images: readonly LockedImage[];
  readonly changes: readonly LockChange[];
  /** False where the file was written, or is as it should be. */
  readonly outdated: boolean;
}

/**
 * Makes the lock of a release or brings it up to date; with `check` only says whether it is. Throws
 * `ImageUnavailable` where no layout of the release can be locked as a whole, or an image that was named can't;
 * `Usage` for unknown names; `InvalidConfig` for a file that is no lock. Nothing is written then.
 */
export function lockImages(options: InstallOptions, request: LockRequest, run: RunContext = {}): Operation<LockResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const wanted = wantedImages(options, request.names);
    const before = await readLockFileIfPresent(request.file);
    const facts = await engineFacts(options.engineHost, runtime);
    const platforms = platformsOf(request.platforms, facts.platform);
    const images = await withRegistries({ ...options.images, ...facts }, runtime, ({ clients, probe }) =>
      lockReleaseImages({
        images: wanted.images,
        mirrors: options.images.mirrors,
        platforms,
        clients,
        probe,
        emit,
        clock: runtime.clock,
        signal,
      }),
    );
    checkComplete(images, wanted.sets);
    const added = Object.fromEntries(images.flatMap(({ reference, entry }) => (entry ? [[reference, entry]] : [])));
    const { lock, changes } = mergeLocks(before, added, { prune: request.prune });
    const isSame = before !== undefined && changes.every(({ change }) => change === 'same');
    if (!isSame && !request.check) await writeLockFile(request.file, lock);
    return { file: request.file, images, changes, outdated: request.check && !isSame };
  }, run.signal);
}

export interface VerifyImagesRequest {
  readonly file: string;
  /** Also ask the registries. */
  readonly remote: boolean;
}

/** Holds what the engine has, and with `remote` what registries serve, against a lock. Throws `NotFound` where there is none. */
export function verifyImages(
  options: Pick<InstallOptions, 'engineHost' | 'images'>,
  request: VerifyImagesRequest,
  run: RunContext = {},
): Operation<readonly VerifiedImage[]> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const lock = await readLockFile(request.file);
    return await withEngine(options.engineHost, runtime, async (engine) => {
      if (!request.remote) return await verifyLock({ lock, engine, signal });
      const { insecureRegistries } = await engine.info();
      const { mirrors } = options.images;
      return await withRegistries({ ...options.images, insecureRegistries }, runtime, ({ probe }) =>
        verifyLock({ lock, engine, remote: { mirrors, probe }, signal }),
      );
    });
  }, run.signal);
}

/** Tests the mirrors of the options, those of all presets where there are none, as an install would use them. */
export async function surveyMirrors(options: InstallOptions, run: RunContext = {}): Promise<MirrorSurvey> {
  const runtime = makeQuietRuntime(run);
  const { images } = wantedImages(options, []);
  const facts = await engineFacts(options.engineHost, runtime);
  return await withRegistries({ ...options.images, ...facts }, runtime, ({ clients, probe }) =>
    testMirrors({
      images,
      mirrors: options.images.mirrors,
      clients,
      probe,
      lookUp,
      architecture: facts.platform.architecture,
      clock: runtime.clock,
      signal: runtime.signal,
    }),
  );
}

/** All images that an install may ask for, and the sets of which one has to be whole. */
function wantedImages(
  { cluster }: InstallOptions,
  names: readonly string[],
): { readonly images: readonly ReleaseImage[]; readonly sets: readonly (readonly string[])[] } {
  const first = releaseFor(cluster.kubernetesVersion);
  const { layouts } = planKubelet(cluster.kubelet, first);
  const releases = layouts.map((layout) => releaseFor(cluster.kubernetesVersion, layout));
  const all = [...releases.flatMap(({ images }) => images), first.coredns];
  const images = all.filter(({ name }, index) => all.findIndex((other) => other.name === name) === index);
  const known = images.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new HyperupError(
      'Usage',
      `choose images of ${first.version}: got ${unknown.join(', ')}, want some of ${known.join(', ')}`,
    );
  }
  if (names.length > 0) return { images: images.filter(({ name }) => names.includes(name)), sets: [names] };
  return { images, sets: releases.map((release) => release.images.map(({ name }) => name)) };
}

/** There are releases without a hyperkube anywhere: one whole layout will do. */
function checkComplete(images: readonly LockedImage[], sets: readonly (readonly string[])[]): void {
  const missing = images.flatMap((image) => (image.entry ? [] : [image]));
  const lacks = (set: readonly string[]) => missing.filter(({ name }) => set.includes(name));
  if (sets.some((set) => lacks(set).length === 0)) return;
  const lines = missing.map(({ name, reference, reasons }) =>
    [`${name} (${reference})`, ...reasons.map((reason) => `  - ${reason}`)].join('\n'),
  );
  throw new HyperupError(
    'ImageUnavailable',
    `lock images: no source shows ${missing.length} of ${images.length}\n${lines.join('\n')}`,
    {
      hint: 'Name a registry that has them with --mirror; hyperup images mirrors tells which do.',
      details: { images: missing.map(({ name, reference, reasons }) => ({ name, reference, reasons })) },
    },
  );
}

interface EngineFacts {
  readonly platform: Platform;
  readonly insecureRegistries: readonly string[];
}

/** What the engine says, where one answers: locks are made on machines without one too. */
async function engineFacts(engineHost: string | undefined, runtime: Runtime): Promise<EngineFacts> {
  try {
    return await withEngine(engineHost, runtime, async (engine) => {
      const { architecture, insecureRegistries } = await engine.info();
      return { platform: { os: 'linux', architecture: imageArchitecture(architecture) }, insecureRegistries };
    });
  } catch (error) {
    if (runtime.signal.aborted) throw error;
    return { platform: machinePlatform(process.arch), insecureRegistries: [] };
  }
}

function platformsOf(words: readonly string[], own: Platform): 'all' | readonly Platform[] {
  if (words.includes('all')) return 'all';
  return words.length === 0 ? [own] : words.map(parsePlatform);
}

async function lookUp(name: string): Promise<readonly string[]> {
  try {
    const found = await lookup(name, { all: true });
    return found.map(({ address }) => address);
  } catch {
    return [];
  }
}
