import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** One copy by one side, the whole process. */
export interface CopyRun {
  readonly seconds: number;
  /** The most memory that it had, MB. */
  readonly peakMb: number;
}

/** In the notation that both sides take. */
export interface CopyWords {
  readonly source: string;
  readonly target: string;
  /** Ours alone. */
  readonly flags?: readonly string[];
}

/** `hyperup images copy`; its caches lie in `cacheDir`. */
export function copyByHyperup({ source, target, flags = [] }: CopyWords, cacheDir: string): Promise<CopyRun> {
  const args = [hyperupProgram(), 'images', 'copy', '--quiet', ...flags, source, target];
  return timed(process.execPath, args, { ...plainEnvironment(), XDG_CACHE_HOME: cacheDir });
}

/** Debian's `skopeo copy`. */
export function copyBySkopeo({ source, target }: CopyWords): Promise<CopyRun> {
  const insecure = [
    ...(source.startsWith('docker://') ? ['--src-tls-verify=false'] : []),
    ...(target.startsWith('docker://') ? ['--dest-tls-verify=false'] : []),
  ];
  return timed('skopeo', ['copy', '--quiet', ...insecure, source, target], plainEnvironment());
}

/** `hyperup images sync` of the release from one registry into another. */
export function syncByHyperup(sync: {
  readonly from: string;
  readonly to: string;
  readonly engineHost: string;
  readonly cacheDir: string;
}): Promise<CopyRun> {
  const words = ['--to', `docker://${sync.to}`, '--mirror', sync.from, '--mirror', 'none'];
  const env = { ...plainEnvironment(), XDG_CACHE_HOME: sync.cacheDir, DOCKER_HOST: sync.engineHost };
  return timed(process.execPath, [hyperupProgram(), 'images', 'sync', '--quiet', ...words], env);
}

/** Debian's `skopeo sync` of what the file lists. */
export function syncBySkopeo(list: string, to: string): Promise<CopyRun> {
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  return timed('skopeo', ['sync', '--src', 'yaml', '--dest', 'docker', ...insecure, list, to], plainEnvironment());
}

/**
 * What both sides run in: nothing of how this machine reaches the outside. With NODE_EXTRA_CA_CERTS, for one, Node reads
 * a file of authorities when it starts, 40 ms for those of a distribution, though nothing here speaks TLS.
 */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

const hyperupProgram = () => process.env['BENCH_PROGRAM'] ?? join(process.cwd(), 'dist/cli/main.js');

/** From start to exit. Throws with what the program said where it fails. */
async function timed(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<CopyRun> {
  const startedMs = performance.now();
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString('utf8')}`.slice(-4000);
  });
  const code = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  const [exitCode, peakMb] = await Promise.all([code, watchPeak(child)]);
  const seconds = (performance.now() - startedMs) / 1000;
  if (exitCode !== 0) throw new Error(`${file} ${args.join(' ')}: ended with ${exitCode}: ${said}`);
  return { seconds, peakMb };
}

/** `VmHWM` only grows: the last look counts. */
async function watchPeak(child: ChildProcess): Promise<number> {
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const text = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024);
    await delay(20);
  }
  return peak;
}
