import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HyperupError, messageOf } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';
import type { RunCommand } from '../base/run-command.js';
import { type ImageEngine, managedLabel, roleLabel } from '../docker/types.js';
import { withHostProgram } from './host-packages.js';
import type { RecipeBook } from './recipe.js';

export interface BuildRootOptions {
  readonly engine: ImageEngine;
  readonly run: RunCommand;
  readonly recipes: RecipeBook;
  /** A scratch folder; what is made in it is gone afterwards. */
  readonly workDir: string;
  /** Undefined: the mirror that apt uses here, or debootstrap's own. */
  readonly debianMirror: string | undefined;
  readonly onLine: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The reference of the build root's image, by what it is made from. */
export function buildRootReference(recipes: RecipeBook): string {
  return `hyperup.local/build-root:${recipes.fingerprint}`;
}

/** Where apt on this host takes the suite's main component from; undefined on hosts that don't have it. */
export async function findDebianMirror(run: RunCommand, suite: string): Promise<string | undefined> {
  const result = await run('sh', [
    '-c',
    `command -v apt-get >/dev/null && apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages'`,
  ]);
  if (result.exitCode !== 0) return undefined;
  for (const line of result.stdout.split('\n')) {
    const [uri, codename, component] = line.trim().split(' ');
    if (uri && codename === suite && component === 'main') return uri;
  }
  return undefined;
}

/**
 * Makes the image that the build steps run in: the suite's base system, the compiler, and the packages whose files
 * go into layers. Keeps an image of the same recipes. Throws `BuildFailed` with debootstrap's last lines.
 */
export async function ensureBuildRoot(options: BuildRootOptions): Promise<string> {
  const { engine, run, recipes, workDir, onLine, signal } = options;
  const reference = buildRootReference(recipes);
  if (await engine.inspectImage(reference)) return reference;
  const root = join(workDir, 'build-root');
  await rm(root, { recursive: true, force: true });
  await makeFolder(workDir);
  const mirror = options.debianMirror ?? (await findDebianMirror(run, recipes.suite));
  try {
    await withHostProgram(run, 'debootstrap', async () => {
      onLine(`unpack Debian ${recipes.suite} and the compiler`);
      const args = ['--variant=minbase', `--include=${recipes.packages.join(',')}`, recipes.suite, root];
      const last: string[] = [];
      const result = await run('debootstrap', mirror ? [...args, mirror] : args, {
        timeoutMs: 1_200_000,
        env: { LC_ALL: 'C' },
        ...(signal ? { signal } : {}),
        onLine: (line) => {
          last.push(line);
          if (last.length > 15) last.shift();
          const found = /^I: (Retrieving|Unpacking|Configuring) (\S+?)\.*$/.exec(line);
          if (found) onLine(`${found[1]?.toLowerCase()} ${found[2]}`);
        },
      });
      if (result.exitCode !== 0) {
        throw new HyperupError('BuildFailed', `debootstrap ${recipes.suite}: exit code ${result.exitCode}`, {
          output: last.join('\n'),
          hint: 'Is a Debian mirror reachable from here? Name one with --debian-mirror URL.',
        });
      }
    });
    onLine('import the build root');
    await importFolder(engine, root, reference);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return reference;
}

async function importFolder(engine: ImageEngine, folder: string, reference: string): Promise<void> {
  const excluded = ['./dev/*', './proc/*', './sys/*', './var/cache/apt/archives/*.deb'].map(
    (path) => `--exclude=${path}`,
  );
  const tar = spawn('tar', ['-C', folder, ...excluded, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  tar.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<number>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', (code) => resolve(code ?? 1));
  });
  try {
    await engine.importImage(tar.stdout, reference, [`LABEL ${managedLabel}=true ${roleLabel}=build-root`]);
    const code = await ended;
    if (code !== 0) throw new HyperupError('BuildFailed', `tar ${folder}: exit code ${code}`, { output: stderr });
  } catch (error) {
    tar.kill();
    throw error instanceof HyperupError
      ? error
      : new HyperupError('BuildFailed', `import the build root: ${messageOf(error)}`, { cause: error });
  }
}
