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
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** SIGKILL, as a power cut would do it. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<void>;
  /** Starts it again, with what it was started with; resolves once it answers. */
  start(): Promise<void>;
}

/** Starts one and waits until it answers; it and its containerd are stopped with the test, and its folder goes. */
export async function startOwnDockerd(t: Test, args: readonly string[] = [], config = '{}\n'): Promise<OwnDockerd> {
  const dir = await mkdtemp(join(tmpdir(), 'own-dockerd-'));
  await mkdir(join(dir, 'etc'));
  const at = (name: string) => join(dir, name);
  const host = `unix://${at('docker.sock')}`;
  const configPath = at('etc/daemon.json');
  await writeFile(configPath, config);
  const own = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid'), '-H', host];
  // A bridge of its own: a daemon told to have none deletes the docker0 that it finds.
  const bridge = makeBridge(t);
  const apart = ['--config-file', configPath, `--bridge=${bridge}`, '--iptables=false', '--ip-forward=false'];
  let daemon = { pid: 0, over: undefined as string | undefined };
  const ended = async () => {
    while (daemon.over === undefined) await sleep(20);
  };
  const end = async (signal: NodeJS.Signals) => {
    if (daemon.over === undefined) process.kill(daemon.pid, signal);
    await ended();
  };
  const containerdPid = at('exec/containerd/containerd.pid');
  const start = async () => {
    await untilNotZombie(containerdPid);
    const { pid, ended } = await spawnDaemon('dockerd', [...own, ...apart, ...args], at('log'));
    if (pid === undefined) throw new Error(`dockerd did not start: ${await ended}`);
    const mine: typeof daemon = { pid, over: undefined };
    daemon = mine;
    void ended.then((reason) => {
      mine.over = reason;
    });
    for (;;) {
      try {
        (await connectEngine({ host, env: {} })).close();
        return;
      } catch (error) {
        if (mine.over !== undefined)
          throw new Error(`dockerd ended: ${mine.over}\n${await readFile(at('log'), 'utf8')}`, { cause: error });
        await sleep(50);
      }
    }
  };
  t.teardown(async () => {
    if (daemon.pid > 0) await end('SIGTERM');
    await endContainerd(containerdPid);
    // dockerd binds its data on itself, and takes that back only when it ends by itself.
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    if (mounts.includes(` ${at('data')} `)) execFileSync('umount', [at('data')]);
    await rm(dir, { recursive: true, force: true });
  });
  await start();
  return {
    ...{ dir, host, configPath, pidFile: at('docker.pid'), start },
    get pid() {
      return daemon.pid;
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
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

/** A containerd dies with its dockerd; until process 1 has taken notice, the next dockerd believes that it runs. */
async function untilNotZombie(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!(pid > 0)) return;
  const status = () => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  while (/^State:\s+Z/m.test(await status())) await sleep(50);
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
