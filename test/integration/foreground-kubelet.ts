import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { connectEngine } from '../../src/docker/connect.js';
import type { V1Pod } from '../../src/kube/pod-objects.js';
import { eventuallySee } from '../e2e/support/eventually.js';
import { httpGet } from '../e2e/support/http-get.js';
import {
  describeFailure,
  outputOf,
  type ProgramResult,
  type RunningProgram,
  startProgram,
} from '../e2e/support/program.js';
import { makeTar } from '../fakes/fake-engine-tar.js';

/** Pause image and pods' image in one, of the machine's busybox: it waits for SIGTERM. */
export const shellImage = 'hyperup-test.invalid/shell:1';

/** Puts it into an engine; taken out again when the test ends. */
export async function importShell(t: Test, host: string): Promise<void> {
  const engine = await connectEngine({ host, env: {} });
  const files = [
    { name: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    ...['sh', 'cat', 'sleep', 'echo', 'touch', 'test'].map((name) => ({ name: `bin/${name}`, link: 'busybox' })),
    { name: 'tmp/.keep', content: '' },
  ];
  await engine.importImage(makeTar(files), shellImage, [
    'ENV PATH=/bin',
    `CMD ${JSON.stringify(['sh', '-c', waiting])}`,
  ]);
  t.teardown(async () => {
    await engine.removeImage(shellImage, { force: true });
    engine.close();
  });
}

/** A shell's script that waits for SIGTERM. */
export const waiting = 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done';

/** A static pod's manifest, of one container that runs a script. */
export function staticPod(name: string, script = waiting, more: Record<string, unknown> = {}): string {
  const container = { name: 'main', image: shellImage, imagePullPolicy: 'Never', command: ['sh', '-c', script] };
  const spec = { terminationGracePeriodSeconds: 2, containers: [container], ...more };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

/** The built-in kubelet as built, in the foreground, without an API server, apart from every other one. */
export interface ForegroundKubelet {
  /** Its static pods' folder. */
  readonly manifests: string;
  /** Of its HTTPS server. */
  readonly port: number;
  /** What it has logged, of all its runs. */
  readonly lines: readonly string[];
  /** Puts a manifest there, at once. */
  put(name: string, text: string): Promise<void>;
  /** As it says itself, by name. */
  pods(): Promise<ReadonlyMap<string, V1Pod>>;
  healthz(): Promise<number>;
  /** What the engine has of it. */
  containers(): Promise<readonly ContainerLine[]>;
  /** Waits until every one of these pods has one running container and one running sandbox, and gives the containers' ids by pod. */
  running(names: readonly string[], timeoutMs?: number): Promise<Readonly<Record<string, string>>>;
  /** True while its process runs. */
  isAlive(): boolean;
  /** SIGTERM; what became of it. */
  stop(): Promise<ProgramResult>;
  start(): void;
}

export interface ContainerLine {
  readonly id: string;
  readonly state: string;
  readonly pod: string;
  /** `POD` for a sandbox. */
  readonly container: string;
}

export interface ForegroundOptions {
  readonly host: string;
  /** Default: in the test's folder. */
  readonly rootDir?: string;
  readonly flags?: readonly string[];
}

const node = 'fault-node';

/** Starts one; its containers, cgroups and files go when the test ends, and it must end well then. */
export async function startForegroundKubelet(t: Test, options: ForegroundOptions): Promise<ForegroundKubelet> {
  const { host, flags = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'hyperup-foreground-'));
  const manifests = join(folder, 'manifests');
  const rootDir = options.rootDir ?? join(folder, 'root');
  await mkdir(manifests);
  const instance = `test-${process.pid}-${folder.slice(-6).toLowerCase()}`;
  const cgroupRoot = `/hyperup-${instance}`;
  const [port, plainPort, healthPort] = await freePorts();
  const args = [
    ...[join(process.cwd(), 'dist/cli/kubelet.js'), `--docker-endpoint=${host}`, `--instance=${instance}`],
    ...[`--root-dir=${rootDir}`, `--pod-log-dir=${join(folder, 'logs')}`, `--pod-manifest-path=${manifests}`],
    ...[`--cgroup-root=${cgroupRoot}`, `--pod-infra-container-image=${shellImage}`, `--hostname-override=${node}`],
    ...['--node-ip=127.0.0.1', '--address=127.0.0.1', `--port=${port}`, `--read-only-port=${plainPort}`],
    ...[`--healthz-port=${healthPort}`, '--file-check-frequency=2s', ...flags],
  ];
  const lines: string[] = [];
  let running: RunningProgram | undefined;
  let alive = false;
  const start = () => {
    const mine = startProgram(process.execPath, args, { onLine: (line) => void lines.push(line) });
    running = mine;
    alive = true;
    const over = () => {
      if (running === mine) alive = false;
    };
    mine.result.then(over, over);
  };
  const stop = async () => {
    if (running === undefined) throw new Error('the kubelet was not started');
    running.kill('SIGTERM');
    return await running.result;
  };
  const docker = (words: readonly string[]) => outputOf('docker', ['-H', host, ...words]);
  const containers = async (): Promise<readonly ContainerLine[]> => {
    const labels = ['pod', 'container'].map((kind) => `{{.Label "io.kubernetes.${kind}.name"}}`);
    const format = ['{{.ID}}', '{{.State}}', ...labels].join(' ');
    const filter = `label=io.hyperup.kubelet=${instance}`;
    const text = await docker(['ps', '-a', '--no-trunc', '--filter', filter, '--format', format]);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [id = '', state = '', pod = '', container = ''] = line.split(' ');
        return { id, state, pod: pod.replace(`-${node}`, ''), container };
      });
  };
  t.teardown(async () => {
    const ended = await stop();
    if (!t.passing()) t.comment(lines.slice(-60).join('\n'));
    // The engine may be the test's own, and down.
    const left = await containers().catch(() => []);
    if (left.length > 0) await docker(['rm', '-f', ...left.map(({ id }) => id)]);
    await removeCgroups(cgroupRoot);
    await rm(folder, { recursive: true, force: true });
    if (ended.exitCode !== 0) throw new Error(describeFailure(ended));
  });
  start();
  return {
    ...{ manifests, port, lines, containers, stop, start },
    isAlive: () => alive,
    async put(name, text) {
      await writeFile(join(manifests, `.${name}`), text);
      await rename(join(manifests, `.${name}`), join(manifests, name));
    },
    async pods() {
      const { body } = await httpGet(`http://127.0.0.1:${plainPort}/pods`);
      const { items } = JSON.parse(body) as { readonly items: readonly V1Pod[] | null };
      return new Map((items ?? []).map((pod) => [pod.metadata?.name?.replace(`-${node}`, '') ?? '', pod]));
    },
    healthz: async () => (await httpGet(`http://127.0.0.1:${healthPort}/healthz`)).status,
    async running(names, timeoutMs = 60_000) {
      const seen = await eventuallySee(
        `${names.join(', ')} to run`,
        async () => (await containers().catch(() => [])).filter(({ state }) => state === 'running'),
        (found) =>
          names.every((name) => {
            const kinds = found.filter(({ pod }) => pod === name).map(({ container }) => container);
            return kinds.sort().join() === 'POD,main';
          }),
        timeoutMs,
      );
      const apps = seen.filter(({ container }) => container === 'main');
      return Object.fromEntries(apps.filter(({ pod }) => names.includes(pod)).map(({ pod, id }) => [pod, id]));
    },
  };
}

/** Ports that nobody has at this moment. */
async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = [createServer(), createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            resolve(typeof address === 'object' && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  for (const server of servers) server.close();
  const [first = 0, second = 0, third = 0] = ports;
  return [first, second, third];
}

async function removeCgroups(root: string): Promise<void> {
  for (const controller of ['.', ...(await readdir('/sys/fs/cgroup'))]) {
    await removeFolders(join('/sys/fs/cgroup', controller, root));
  }
}

/** Quiet where there is none, and where a process is left in it, which then is what a snapshot shows. */
async function removeFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeFolders(join(folder, entry.name));
  await rmdir(folder).catch(() => {});
}
