import { HyperupError } from '../base/errors.js';
import { type ContainerEngine, managedLabel, roleLabel } from '../docker/types.js';

export type BuildStep = 'fetch' | 'layers' | 'generate' | 'compile';

/** What each step needs from outside: only the source package is fetched. */
const networkOf: Readonly<Record<BuildStep, 'host' | 'none'>> = {
  fetch: 'host',
  layers: 'none',
  generate: 'none',
  compile: 'none',
};

export interface BuildStepOptions {
  readonly engine: ContainerEngine;
  readonly rootImage: string;
  readonly recipeFolder: string;
  /** Kept between runs; holds the sources, the compiler's cache and the finished layers. */
  readonly buildDir: string;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Runs one step of `images/builder/run.sh` in a container and removes that. Throws `BuildFailed` with its last lines. */
export async function runBuildStep(step: BuildStep, options: BuildStepOptions): Promise<void> {
  const { engine, rootImage, recipeFolder, buildDir, onLine, signal } = options;
  const last: string[] = [];
  const id = await engine.createContainer({
    name: `hyperup-build-${step}`,
    image: rootImage,
    command: ['sh', '/recipe/builder/run.sh', step],
    labels: { [managedLabel]: 'true', [roleLabel]: 'build' },
    networkMode: networkOf[step],
    mounts: [
      { source: recipeFolder, target: '/recipe', readOnly: true },
      { source: buildDir, target: '/build' },
    ],
  });
  try {
    await engine.startContainer(id);
    await engine.followLogs(
      id,
      (line) => {
        last.push(line);
        if (last.length > 20) last.shift();
        onLine(line);
      },
      { tail: 1_000_000, ...(signal ? { signal } : {}) },
    );
    const exitCode = await engine.waitContainer(id, signal);
    if (exitCode !== 0) {
      throw new HyperupError('BuildFailed', `build step ${step}: exit code ${exitCode}`, { output: last.join('\n') });
    }
  } finally {
    await engine.removeContainer(id, { force: true });
  }
}
