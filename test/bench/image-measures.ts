import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathExists } from '../../src/base/files.js';
import type { Engine } from '../../src/docker/types.js';
import { buildRootReference } from '../../src/imagebuild/build-root.js';
import { recipeLabel } from '../../src/imagebuild/image-builder.js';
import { type RecipeBook, readRecipes } from '../../src/imagebuild/recipe.js';
import type { ReleaseSpec } from '../../src/release/types.js';
import { runCli } from '../e2e/support/cli.js';
import { describeFailure } from '../e2e/support/program.js';
import type { Measure } from './measures.js';

export interface ImageMeasureOptions {
  readonly engine: Engine;
  readonly release: ReleaseSpec;
  /** hyperup's cache, as it is used outside of benches. */
  readonly cacheDir: string;
  /** A folder for the images' copies and the cold build's cache. */
  readonly workDir: string;
  /** Build from nothing too, which takes many minutes. */
  readonly cold: boolean;
  readonly say: (line: string) => void;
}

export interface ImageMeasures {
  readonly measures: readonly Measure[];
  readonly notes: readonly string[];
}

const second = 1000;
const coldGoalSeconds = 12 * 60;
const warmGoalSeconds = 5;

async function buildImages(cacheDir: string): Promise<number> {
  const env = { HYPERUP_CACHE_DIR: cacheDir };
  const result = await runCli(['images', 'build', '--json'], { env, timeoutMs: 3600 * second });
  if (result.exitCode !== 0) throw new Error(describeFailure(result));
  return result.elapsedMs / second;
}

/** Sees to it that the engine has the images, and of these very recipes, before anything is timed. */
export async function ensureCurrentImages(options: ImageMeasureOptions): Promise<void> {
  const { fingerprint } = await readRecipes(join(process.cwd(), 'images'));
  const found = await Promise.all(
    options.release.images.map(({ reference }) => options.engine.inspectImage(reference)),
  );
  if (found.every((image) => image?.labels[recipeLabel] === fingerprint)) return;
  options.say('images build (the engine has none of these recipes; not timed)');
  await buildImages(options.cacheDir);
}

/** The images' sizes and how long it takes to have them again. The engine has the same images afterwards. */
export async function measureImages(options: ImageMeasureOptions): Promise<ImageMeasures> {
  const { cacheDir, say } = options;
  const recipes = await readRecipes(join(process.cwd(), 'images'));
  const measures: Measure[] = [...(await measureSizes(options))];
  const notes: string[] = [];
  const timed = (name: string, goal: number, values: readonly number[]) => {
    measures.push({ kind: 'value', name, unit: 's', goal, values });
  };
  say('images build, nothing to do');
  timed('images-build-warm', warmGoalSeconds, [await buildImages(cacheDir)]);
  if (options.cold) {
    const coldCache = await mkdtemp(join(dirname(options.workDir), 'cold-'));
    try {
      await withoutImages(options, async () => {
        await options.engine.removeImage(buildRootReference(recipes), { force: true });
        say('images build from nothing');
        timed('images-build-cold', coldGoalSeconds, [await buildImages(coldCache)]);
      });
      await withoutImages(options, async () => {
        say('images build from cached layers');
        timed('images-build-cached', warmGoalSeconds, [await buildImages(coldCache)]);
      });
    } finally {
      await rm(coldCache, { recursive: true, force: true });
    }
  } else if (await hasLayers(recipes, cacheDir)) {
    await withoutImages(options, async () => {
      say('images build from cached layers');
      timed('images-build-cached', warmGoalSeconds, [await buildImages(cacheDir)]);
    });
  } else {
    notes.push(`images-build-cached was not measured: ${cacheDir} holds no layers of these recipes`);
  }
  if (!options.cold) notes.push('images-build-cold was not measured: BENCH_COLD=1 asks for it, about ten minutes');
  return { measures, notes };
}

async function measureSizes({ engine, release }: ImageMeasureOptions): Promise<readonly Measure[]> {
  const sizes = new Map<string, number>();
  for (const { name, reference } of release.images) {
    const image = await engine.inspectImage(reference);
    if (!image) throw new Error(`measure ${reference}: the engine does not have it`);
    sizes.set(name, image.sizeBytes / 1e6);
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return [
    { kind: 'value', name: 'image-hyperkube', unit: 'MB', goal: 190, values: [sizes.get('hyperkube') ?? Number.NaN] },
    { kind: 'value', name: 'images-total', unit: 'MB', goal: 215, values: [total] },
  ];
}

/** Calls `work`, which must bring the images back, with none of them in the engine. Puts copies back where it fails. */
async function withoutImages(options: ImageMeasureOptions, work: () => Promise<void>): Promise<void> {
  const { engine, release, workDir } = options;
  const references = release.images.map(({ reference }) => reference);
  const copy = join(workDir, 'images.tar');
  await pipeline(await engine.saveImages(references), createWriteStream(copy));
  try {
    for (const reference of references) await engine.removeImage(reference, { force: true });
    await work();
  } catch (error) {
    await engine.loadImage(createReadStream(copy));
    throw error;
  } finally {
    await rm(copy, { force: true });
  }
}

/** True where a build needs to make nothing, only to load. */
async function hasLayers(recipes: RecipeBook, cacheDir: string): Promise<boolean> {
  const folder = join(cacheDir, 'build', recipes.fingerprint, 'layers');
  const names = new Set(Object.values(recipes.images).flatMap(({ layers }) => layers));
  for (const name of names) if (!(await pathExists(join(folder, `${name}.tar`)))) return false;
  return true;
}
