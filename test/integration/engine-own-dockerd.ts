import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { connectEngine } from '../../src/docker/connect.js';
import { spawnDaemon } from '../../src/engine/spawn-daemon.js';

/** A dockerd of the test's own: its own data, sockets and pid file, no network of its making. */
export interface OwnDockerd {
  readonly dir: string;
  readonly host: string;
  readonly pidFile: string;
  readonly configPath: string;
  readonly pid: number;
  /** SIGKILL, as a power cut would do it. */
  kill(): Promise<void>;
}

/** Starts one and waits until it answers; it and its containerd are stopped with the test, and its folder goes. */
export async function startOwnDockerd(t: Test, args: readonly string[] = []): Promise<OwnDockerd> {
  const dir = await mkdtemp(join(tmpdir(), 'own-dockerd-'));
  await mkdir(join(dir, 'etc'));
  const at = (name: string) => join(dir, name);
  const host = `unix://${at('docker.sock')}`;
  const configPath = at('etc/daemon.json');
  await writeFile(configPath, '{}\n');
  const own = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid'), '-H', host];
  // A bridge of its own: a daemon told to have none deletes the docker0 that it finds.
  const bridge = makeBridge(t);
  const apart = ['--config-file', configPath, `--bridge=${bridge}`, '--iptables=false', '--ip-forward=false'];
  const daemon = await spawnDaemon('dockerd', [...own, ...apart, ...args], at('log'));
  const { pid } = daemon;
  if (pid === undefined) throw new Error(`dockerd did not start: ${await daemon.ended}`);
  let over: string | undefined;
  void daemon.ended.then((reason) => {
    over = reason;
  });
  const ended = async () => {
    while (over === undefined) await sleep(20);
  };
  t.teardown(async () => {
    if (over === undefined) process.kill(pid, 'SIGTERM');
    await ended();
    await endContainerd(at('exec/containerd/containerd.pid'));
    // dockerd binds its data on itself, and takes that back only when it ends by itself.
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    if (mounts.includes(` ${at('data')} `)) execFileSync('umount', [at('data')]);
    await rm(dir, { recursive: true, force: true });
  });
  for (;;) {
    try {
      (await connectEngine({ host, env: {} })).close();
      break;
    } catch (error) {
      if (over !== undefined)
        throw new Error(`dockerd ended: ${over}\n${await readFile(at('log'), 'utf8')}`, { cause: error });
      await sleep(50);
    }
  }
  return {
    ...{ dir, host, pid, configPath, pidFile: at('docker.pid') },
    kill: async () => {
      process.kill(pid, 'SIGKILL');
      await ended();
    },
  };
}

/** A bridge without members, with an address that nobody has (RFC 5737). Gone with the test. */
function makeBridge(t: Test): string {
  const name = `hup-${Math.random().toString(36).slice(2, 8)}`;
  execFileSync('ip', ['link', 'add', name, 'type', 'bridge']);
  t.teardown(() => {
    execFileSync('ip', ['link', 'delete', name]);
  });
  execFileSync('ip', ['address', 'add', '203.0.113.1/24', 'dev', name]);
  execFileSync('ip', ['link', 'set', name, 'up']);
  return name;
}

/** The containerd that a killed dockerd leaves behind. */
async function endContainerd(pidFile: string): Promise<void> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const pid = Number(text);
  if (!(pid > 0)) return;
  const runs = async () => (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() === 'containerd';
  if (await runs()) process.kill(pid, 'SIGTERM');
  while (await runs()) await sleep(20);
}
