import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathExists } from '../../src/base/files.js';
import type { RunCommand } from '../../src/base/run-command.js';
import { type Engine, managedLabel, roleLabel } from '../../src/docker/types.js';
import { buildRootReference, ensureBuildRoot } from '../../src/imagebuild/build-root.js';
import { runBuildStep } from '../../src/imagebuild/build-step.js';
import { readRecipes } from '../../src/imagebuild/recipe.js';
import { outputOf } from '../e2e/support/program.js';

export interface BuildKubeadmOptions {
  readonly engine: Engine;
  readonly run: RunCommand;
  readonly version: string;
  readonly onLine: (line: string) => void;
}

/** Where the program is kept between benches. */
export function kubeadmPath(version: string): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'hyperup-bench', version, 'kubeadm');
}

/**
 * Gives kubeadm, compiled once from the distribution's source package: that which the images are built from, in the
 * same build root. Takes several minutes the first time.
 */
export async function ensureKubeadm(options: BuildKubeadmOptions): Promise<string> {
  const { version } = options;
  const path = kubeadmPath(version);
  if (!(await pathExists(path))) await buildKubeadm(path, options);
  const found = (await outputOf(path, ['version', '-o', 'short'])).trim();
  if (found !== version) throw new Error(`${path}: got kubeadm ${found}, want ${version}: remove it`);
  return path;
}

async function buildKubeadm(path: string, { engine, run, version, onLine }: BuildKubeadmOptions): Promise<void> {
  const recipes = await readRecipes(join(process.cwd(), 'images'));
  if (recipes.kubernetesVersion !== version) {
    throw new Error(`build kubeadm ${version}: the recipes are for ${recipes.kubernetesVersion}`);
  }
  const buildDir = join(path, '../build');
  const hadRoot = (await engine.inspectImage(buildRootReference(recipes))) !== undefined;
  await mkdir(buildDir, { recursive: true });
  const rootImage = await ensureBuildRoot({
    engine,
    run,
    recipes,
    workDir: buildDir,
    debianMirror: undefined,
    onLine,
  });
  for (const step of ['fetch', 'generate'] as const) {
    await runBuildStep(step, { engine, rootImage, recipeFolder: recipes.folder, buildDir, onLine });
  }
  await compile({ engine, rootImage, buildDir, onLine });
  await copyFile(join(buildDir, 'kubeadm'), `${path}.new`);
  await rename(`${path}.new`, path);
  // Kept until here, so that a build that was interrupted goes on with the step that it was in.
  await rm(buildDir, { recursive: true, force: true });
  if (!hadRoot) await engine.removeImage(rootImage, { force: true });
}

interface CompileOptions {
  readonly engine: Engine;
  readonly rootImage: string;
  readonly buildDir: string;
  readonly onLine: (line: string) => void;
}

async function compile({ engine, rootImage, buildDir, onLine }: CompileOptions): Promise<void> {
  const last: string[] = [];
  const id = await engine.createContainer({
    name: 'hyperup-bench-build',
    image: rootImage,
    command: ['sh', '/bench/build-kubeadm.sh'],
    labels: { [managedLabel]: 'true', [roleLabel]: 'build' },
    networkMode: 'none',
    mounts: [
      { source: join(process.cwd(), 'test/bench'), target: '/bench', readOnly: true },
      { source: buildDir, target: '/build' },
    ],
  });
  try {
    onLine('compile kubeadm');
    await engine.startContainer(id);
    await engine.followLogs(id, (line) => last.push(line), { tail: 1_000_000 });
    const exitCode = await engine.waitContainer(id);
    if (exitCode !== 0) throw new Error(`build kubeadm: exit code ${exitCode}\n${last.slice(-20).join('\n')}`);
  } finally {
    await engine.removeContainer(id, { force: true });
  }
}
