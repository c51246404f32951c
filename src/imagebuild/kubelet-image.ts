import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { HyperupError, messageOf } from '../base/errors.js';
import { makeFolder } from '../base/make-folder.js';
import type { RunCommand } from '../base/run-command.js';
import { type ImageEngine, managedLabel, roleLabel } from '../docker/types.js';
import { digestFile, writeImageArchive } from './image-archive.js';

/** Says what a kubelet's image was made of; another value means that it is to be made anew. */
export const kubeletContentLabel = 'io.hyperup.kubelet-content';

export interface KubeletImageOptions {
  readonly engine: Pick<ImageEngine, 'inspectImage' | 'loadImage'>;
  readonly run: RunCommand;
  readonly packageRoot: string;
  readonly packageVersion: string;
  /** The program that runs now. */
  readonly nodePath: string;
  readonly nodeVersion: string;
  /** For the layer on its way to the engine. */
  readonly cacheDir: string;
  readonly architecture: string;
  readonly signal?: AbortSignal | undefined;
}

/** A file of the image: where it stands there and where it comes from. */
interface ImageFile {
  readonly name: string;
  readonly source: string;
  readonly mode: number;
}

/** What the image is called in the engine. */
export function kubeletImageReference(packageVersion: string): string {
  return `hyperup/kubelet:${packageVersion}`;
}

/** The bundled program in the image. */
export const kubeletProgram = '/opt/hyperup/dist/cli/kubelet.js';
/** The cluster's DNS server in the same image. */
export const dnsProgram = '/opt/hyperup/dist/cli/dns.js';

/**
 * Sees to it that the engine has the built-in kubelet's image: the running Node, the bundled program, `nsenter`, and the
 * libraries that they load, all from this machine, so that no network is needed. Gives its reference and whether it was
 * made now. Throws `BuildFailed`, and what the engine throws.
 */
export async function ensureKubeletImage(
  options: KubeletImageOptions,
): Promise<{ readonly reference: string; readonly changed: boolean }> {
  const reference = kubeletImageReference(options.packageVersion);
  const { files, content } = await collectFiles(options)
    .then(async (files) => ({ files, content: await fingerprint(files) }))
    .catch((error: unknown) => {
      if (error instanceof HyperupError) throw error;
      throw new HyperupError('BuildFailed', `build the kubelet's image: ${messageOf(error)}`, { cause: error });
    });
  const found = await options.engine.inspectImage(reference);
  if (found?.labels[kubeletContentLabel] === content) return { reference, changed: false };
  await makeFolder(options.cacheDir);
  const workDir = await mkdtemp(join(options.cacheDir, 'kubelet-image-'));
  try {
    const path = join(workDir, 'layer.tar');
    await writeLayer(files, path);
    const archive = writeImageArchive({
      reference,
      architecture: options.architecture,
      created: '2021-01-13T13:20:00Z',
      layers: [{ path, diffId: await digestFile(path), createdBy: 'hyperup: the built-in kubelet' }],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      entrypoint: ['/usr/local/bin/node'],
      command: [kubeletProgram],
      labels: {
        [managedLabel]: 'true',
        [roleLabel]: 'image',
        [kubeletContentLabel]: content,
        'org.opencontainers.image.title': "hyperup's kubelet",
        'org.opencontainers.image.version': options.packageVersion,
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.description': `made from this machine's files; Node ${options.nodeVersion}`,
      },
    });
    await options.engine.loadImage(archive);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
  return { reference, changed: true };
}

async function collectFiles(options: KubeletImageOptions): Promise<readonly ImageFile[]> {
  const { packageRoot } = options;
  const list = await readFile(join(packageRoot, 'images', 'kubelet', 'programs.txt'), 'utf8');
  const names = list
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const programs = await Promise.all(names.map((name) => findProgram(name)));
  const node = await realpath(options.nodePath);
  const libraries = new Map<string, string>();
  for (const program of [node, ...programs.map(({ source }) => source)]) {
    for (const library of await librariesOf(program, options)) libraries.set(library, await realpath(library));
  }
  return [
    { name: '/usr/local/bin/node', source: node, mode: 0o755 },
    ...programs,
    ...[...libraries].map(([name, source]) => ({ name, source, mode: 0o755 })),
    // The last one says of which kind of module they are.
    ...[kubeletProgram, dnsProgram, '/opt/hyperup/dist/cli/package.json'].map((name) => ({
      name,
      source: join(packageRoot, 'dist', 'cli', basename(name)),
      mode: 0o644,
    })),
    { name: '/opt/hyperup/package.json', source: join(packageRoot, 'package.json'), mode: 0o644 },
    ...(await moduleFiles(packageRoot)),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Packages that the bundle leaves outside, with all that they need. */
async function moduleFiles(packageRoot: string): Promise<readonly ImageFile[]> {
  const files: ImageFile[] = [];
  const done = new Set<string>();
  const queue = ['@peculiar/x509', 'reflect-metadata'];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (done.has(name)) continue;
    done.add(name);
    const folder = await findModule(packageRoot, name);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    queue.push(...Object.keys(manifest.dependencies ?? {}));
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const source = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !/\.(js|mjs|cjs|json)$/.test(entry.name)) continue;
      const inside = source.slice(folder.length);
      if (inside.startsWith('/node_modules/')) continue;
      files.push({ name: `/opt/hyperup/node_modules/${name}${inside}`, source, mode: 0o644 });
    }
  }
  return files;
}

/** A package of ours, where npm put it: below us or beside us. */
async function findModule(packageRoot: string, name: string): Promise<string> {
  for (let folder = packageRoot; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name);
    if (await isThere(join(path, 'package.json'))) return path;
    if (folder === dirname(folder)) {
      throw new HyperupError('BuildFailed', `build the kubelet's image: package ${name} is not installed`);
    }
  }
}

async function findProgram(name: string): Promise<ImageFile> {
  for (const folder of ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']) {
    const path = join(folder, name);
    if (await isThere(path)) return { name: `/usr/bin/${name}`, source: await realpath(path), mode: 0o755 };
  }
  throw new HyperupError('BuildFailed', `build the kubelet's image: this machine has no ${name}`, {
    hint: `Install the package that has it (util-linux on most distributions).`,
  });
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The shared libraries and the loader that a program names, as `ldd` finds them; none for a static one. */
async function librariesOf(program: string, { run, signal }: KubeletImageOptions): Promise<readonly string[]> {
  const result = await run('ldd', [program], signal ? { signal } : {});
  if (result.exitCode !== 0) {
    if (/not a dynamic executable|Not a valid dynamic program/.test(result.stdout + result.stderr)) return [];
    throw new HyperupError('BuildFailed', `find the libraries of ${program}: ldd ended with ${result.exitCode}`, {
      output: result.stderr,
    });
  }
  const missing = /^\s*(\S+) => not found/m.exec(result.stdout)?.[1];
  if (missing) throw new HyperupError('BuildFailed', `find the libraries of ${program}: no ${missing} on this machine`);
  return [...result.stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map((match) => match[1] ?? '');
}

/** By name, size and time for this machine's big programs, by content for our own: reading 100 MB each time would be slow. */
async function fingerprint(files: readonly ImageFile[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, source, mode } of files) {
    const { size, mtimeMs } = await stat(source);
    hash.update(`${name}\0${mode}\0${size}\0`);
    if (name.startsWith('/opt/hyperup/dist/')) hash.update(await readFile(source));
    else hash.update(`${Math.round(mtimeMs)}\0`);
  }
  return hash.digest('hex').slice(0, 32);
}

/** Fixed owners and times, sorted names: the same files make the same layer. */
async function writeLayer(files: readonly ImageFile[], path: string): Promise<void> {
  const archive = pack();
  const fixed = { uid: 0, gid: 0, mtime: new Date(0) };
  const fill = async () => {
    const folders = new Set<string>(['/etc', '/tmp', '/proc', '/sys', '/dev', '/var', '/run']);
    for (const { name } of files) for (let at = dirname(name); at !== '/'; at = dirname(at)) folders.add(at);
    for (const folder of [...folders].sort()) {
      archive.entry({
        ...fixed,
        name: `${folder.slice(1)}/`,
        type: 'directory',
        mode: folder === '/tmp' ? 0o1777 : 0o755,
      });
    }
    for (const { name, source, mode } of files) {
      const { size } = await stat(source);
      await pipeline(createReadStream(source), archive.entry({ ...fixed, name: name.slice(1), size, mode }));
    }
    const passwd = 'root:x:0:0:root:/root:/bin/false\n';
    archive.entry({ ...fixed, name: 'etc/passwd', mode: 0o644 }, passwd);
    archive.finalize();
  };
  const filling = fill().catch((error: unknown) => {
    archive.destroy(
      new HyperupError('BuildFailed', `write the kubelet's image: ${messageOf(error)}`, { cause: error }),
    );
  });
  await pipeline(archive, createWriteStream(path));
  await filling;
}
