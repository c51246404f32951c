import { access, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HyperupError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { makeFolder } from '../base/make-folder.js';
import type { EmitProgress } from '../base/progress.js';
import type { RunCommand } from '../base/run-command.js';
import { type ContainerEngine, type ImageEngine, managedLabel, roleLabel } from '../docker/types.js';
import { buildRootReference, ensureBuildRoot } from './build-root.js';
import { type BuildStep, runBuildStep } from './build-step.js';
import { makeCompileProgress } from './compile-progress.js';
import { digestFile, writeImageArchive } from './image-archive.js';
import type { ImageRecipe, RecipeBook } from './recipe.js';

export const recipeLabel = 'io.hyperup.recipe';
export const packagesLabel = 'io.hyperup.packages';

/** The date of the packaged Kubernetes; fixed, so that equal layers make equal images. */
const created = '2021-01-13T13:20:00Z';

export interface ImageBuilderOptions {
  readonly engine: ImageEngine & ContainerEngine;
  readonly run: RunCommand;
  readonly recipes: RecipeBook;
  /** Finished layers stay here, under the recipes' fingerprint; the rest of a build is removed when it is done. */
  readonly cacheDir: string;
  readonly debianMirror: string | undefined;
  readonly architecture: string;
  readonly logger: Logger;
}

export interface BuildCall {
  readonly emit: EmitProgress;
  readonly signal?: AbortSignal | undefined;
}

/** Builds the images of a release from the distribution's packages. One at a time in a process; calls may overlap. */
export interface ImageBuilder {
  canBuild(recipe: string): boolean;
  /** Puts the image into the engine under `reference`; quick where its layers are cached. Throws `BuildFailed`. */
  build(recipe: string, reference: string, call: BuildCall): Promise<void>;
  /** True where that image in the engine comes from these very recipes. */
  isCurrent(labels: Readonly<Record<string, string>>): boolean;
}

/** The steps that bring each layer into being. */
const stepsOf: Readonly<Record<string, readonly BuildStep[]>> = {
  core: ['fetch', 'layers'],
  tools: ['fetch', 'layers'],
  etcd: ['fetch', 'layers'],
  pause: ['fetch', 'layers'],
  hyperkube: ['fetch', 'layers', 'generate', 'compile'],
};

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Removes every finished layer that builds left in a cache folder, and the folder where nothing else is in it. */
export async function removeBuilds(cacheDir: string): Promise<void> {
  await rm(join(cacheDir, 'build'), { recursive: true, force: true });
  await rmdir(cacheDir).catch(() => {});
}

export function createImageBuilder(options: ImageBuilderOptions): ImageBuilder {
  const { engine, run, recipes, cacheDir, logger } = options;
  const buildsDir = join(cacheDir, 'build');
  const buildDir = join(buildsDir, recipes.fingerprint);
  const layerPath = (layer: string) => join(buildDir, 'layers', `${layer}.tar`);
  let queue: Promise<void> = Promise.resolve();

  async function makeLayers(layers: readonly string[], call: BuildCall): Promise<void> {
    const missing: string[] = [];
    for (const layer of layers) if (!(await isThere(layerPath(layer)))) missing.push(layer);
    if (missing.length === 0) return;
    const report = (line: string) => call.emit({ type: 'output', step: 'build', line });
    const signal = call.signal;
    const rootImage = await ensureBuildRoot({
      engine,
      run,
      recipes,
      workDir: buildDir,
      debianMirror: options.debianMirror,
      onLine: report,
      signal,
    });
    const steps = new Set(missing.flatMap((layer) => stepsOf[layer] ?? []));
    for (const step of steps) {
      const onLine = makeCompileProgress(report);
      await runBuildStep(step, { engine, rootImage, recipeFolder: recipes.folder, buildDir, onLine, signal });
    }
  }

  /** Once every layer is there the sources, the compiler's cache and the build root have served. */
  async function removeScaffold(): Promise<void> {
    for (const layer of Object.keys(stepsOf)) if (!(await isThere(layerPath(layer)))) return;
    if (!(await isThere(join(buildDir, 'src')))) return;
    await engine.removeImage(buildRootReference(recipes), { force: true });
    for (const name of ['src', 'go-cache', 'stamps']) await rm(join(buildDir, name), { recursive: true, force: true });
    for (const name of await readdir(buildsDir)) {
      if (name !== recipes.fingerprint) await rm(join(buildsDir, name), { recursive: true, force: true });
    }
    logger.debug('build scaffold removed', { buildDir });
  }

  async function provenance(recipe: ImageRecipe): Promise<string> {
    const lists = await Promise.all(
      recipe.layers.map((layer) => readFile(join(buildDir, 'layers', `${layer}.packages`), 'utf8')),
    );
    return [...new Set(lists.join('\n').split('\n').filter(Boolean))].sort().join(' ');
  }

  async function loadImage(recipeName: string, recipe: ImageRecipe, reference: string): Promise<void> {
    const layers = await Promise.all(
      recipe.layers.map(async (layer) => ({
        path: layerPath(layer),
        diffId: await digestFile(layerPath(layer)),
        createdBy: `hyperup images build ${recipeName}: layer ${layer}`,
      })),
    );
    const archive = writeImageArchive({
      reference,
      architecture: options.architecture,
      created,
      layers,
      env: recipe.env,
      entrypoint: recipe.entrypoint,
      command: recipe.command,
      labels: {
        [managedLabel]: 'true',
        [roleLabel]: 'image',
        [recipeLabel]: recipes.fingerprint,
        [packagesLabel]: await provenance(recipe),
        'org.opencontainers.image.title': recipe.title,
        'org.opencontainers.image.version': recipe.version,
        'org.opencontainers.image.licenses': recipe.licenses,
        'org.opencontainers.image.vendor': `built by hyperup from Debian ${recipes.suite} packages`,
        'org.opencontainers.image.created': created,
      },
    });
    await engine.loadImage(archive);
  }

  async function buildOne(recipeName: string, reference: string, call: BuildCall): Promise<void> {
    const recipe = recipes.images[recipeName];
    if (!recipe) throw new HyperupError('BuildFailed', `build ${recipeName}: no such recipe`);
    await makeFolder(join(buildDir, 'layers'));
    await makeLayers(recipe.layers, call);
    call.emit({ type: 'output', step: 'build', line: `load ${reference} into the engine` });
    await loadImage(recipeName, recipe, reference);
    await removeScaffold();
  }

  return {
    canBuild: (recipe) => recipe in recipes.images && ['amd64', 'arm64'].includes(options.architecture),
    isCurrent: (labels) => labels[recipeLabel] === recipes.fingerprint,
    build(recipe, reference, call) {
      const turn = queue.then(() => buildOne(recipe, reference, call));
      queue = turn.catch(() => {});
      return turn;
    },
  };
}
