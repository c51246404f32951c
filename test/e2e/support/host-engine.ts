import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { marker } from './cli.js';
import { outputOf } from './program.js';

/** Containers, volumes and networks of the engine. Images are not here: an uninstall keeps them unless told. */
export async function listContainers(): Promise<readonly string[]> {
  const [containers, volumes, networks] = await Promise.all([
    outputOf('docker', ['ps', '-a', '--no-trunc', '--format', 'container {{.Names}} {{.ID}} {{.Image}} {{.State}}']),
    outputOf('docker', ['volume', 'ls', '--format', 'volume {{.Name}}']),
    outputOf('docker', ['network', 'ls', '--format', 'network {{.Name}} {{.ID}}']),
  ]);
  return [containers, volumes, networks].flatMap((text) => text.split('\n').filter((line) => line !== ''));
}

/** Programs that run only for a cluster; by name, since what a container starts doesn't carry the tests' mark. */
const clusterPrograms =
  /^(hyperkube|kubelet|kube-(apiserver|controller-manager|scheduler|proxy)|etcd|pause|kubectl|coredns)$/;

/**
 * Processes that an install may have started: those that carry the tests' mark, a cluster's programs by name, whatever
 * lives in a pod's control group, and the engine itself, which must not go away. Other people's come and go.
 */
export async function listProcesses(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map(describeProcess));
  return lines.filter((line) => line !== undefined);
}

async function describeProcess(pid: string): Promise<string | undefined> {
  // It may be gone by now.
  const read = (name: string) => readFile(join('/proc', pid, name), 'utf8').catch(() => '');
  const [command, environ, cgroup] = await Promise.all([read('cmdline'), read('environ'), read('cgroup')]);
  const words = command.split('\0').filter((word) => word !== '');
  const name = (words[0] ?? '').replace(/.*\//, '');
  if (name === '') return undefined;
  if (name === 'dockerd' || name === 'containerd') return `engine ${name}`;
  const ours =
    environ.split('\0').some((entry) => entry.startsWith(`${marker}=`)) ||
    clusterPrograms.test(name) ||
    cgroup.includes('kubepods');
  return ours ? `process ${pid} ${words.join(' ').slice(0, 200)}` : undefined;
}

/** Control groups that a kubelet makes for pods and for itself, in every hierarchy. */
export async function listCgroups(): Promise<readonly string[]> {
  const lines: string[] = [];
  await walk('/sys/fs/cgroup', 0, lines);
  return lines;
}

async function walk(folder: string, depth: number, lines: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const path = join(folder, entry.name);
    if (/^(kubepods|kubelet|kube-|hyperup)/.test(entry.name)) lines.push(path);
    // Deep enough for <controller>/docker/<container>/kubepods.
    else if (depth < 3) await walk(path, depth + 1, lines);
  }
}
