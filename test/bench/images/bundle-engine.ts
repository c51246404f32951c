import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** An engine of the bench's own, without an image. */
export interface EmptyEngine {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Ends it and takes its data away. */
  close(): Promise<void>;
}

const startMs = 30_000;

/** Starts a dockerd with data and a bridge of its own. Throws with its log where it doesn't come up. */
export async function startEmptyEngine(): Promise<EmptyEngine> {
  const dir = await mkdtemp(join(tmpdir(), 'hyperup-bench-engine-'));
  const host = `unix://${join(dir, 'docker.sock')}`;
  const log = await open(join(dir, 'log'), 'w');
  const flags = ['--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'pid')];
  const bridge = makeBridge();
  const apart = [`--bridge=${bridge}`, '--iptables=false', '--ip-forward=false'];
  const daemon = spawn('dockerd', [...flags, '-H', host, ...apart], { stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const close = async () => {
    await ended(daemon);
    execFileSync('ip', ['link', 'delete', bridge]);
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    if (mounts.includes(` ${join(dir, 'data')} `)) execFileSync('umount', [join(dir, 'data')]);
    await rm(dir, { recursive: true, force: true });
  };
  const deadline = performance.now() + startMs;
  while (!answers(host)) {
    if (daemon.exitCode !== null || performance.now() > deadline) {
      const said = await readFile(join(dir, 'log'), 'utf8');
      await close();
      throw new Error(`dockerd did not come up: ${said.slice(-2000)}`);
    }
    await delay(100);
  }
  return { host, close };
}

/** A daemon that is told to have no bridge deletes the docker0 that it finds. */
function makeBridge(): string {
  const name = `hup-${Math.random().toString(36).slice(2, 8)}`;
  execFileSync('ip', ['link', 'add', name, 'type', 'bridge']);
  execFileSync('ip', ['address', 'add', '203.0.113.1/24', 'dev', name]);
  execFileSync('ip', ['link', 'set', name, 'up']);
  return name;
}

async function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const over = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  daemon.kill('SIGTERM');
  await over;
}

function answers(host: string): boolean {
  try {
    execFileSync('docker', ['-H', host, 'version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
