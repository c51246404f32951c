import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Cluster, kubectlOf, kubeletContainer } from '../lifecycle/verbs.js';
import { exists } from '../support/cluster.js';
import { eventually, eventuallySee } from '../support/eventually.js';
import { type Kubectl, kubectlOutput, makeStartKubectl, type StartKubectl } from '../support/kubectl.js';
import { outputOf } from '../support/program.js';

const image = 'test.hyperup.invalid/busybox:1';

/** A shell's script that goes on until it is told to end. */
export const waiting = 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done';

export interface PodOptions {
  /** Run by `sh -c`. */
  readonly script?: string;
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  readonly graceSeconds?: number;
  readonly image?: string;
  /** More of the container. */
  readonly container?: Readonly<Record<string, unknown>>;
  /** More of the specification. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** A pod of one container, `main`. */
export function podOf(name: string, options: PodOptions = {}): object {
  const { script = waiting, restartPolicy = 'Always', graceSeconds = 2 } = options;
  const command = ['sh', '-c', script];
  const main = { name: 'main', image: options.image ?? image, imagePullPolicy: 'IfNotPresent', command };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy,
      terminationGracePeriodSeconds: graceSeconds,
      automountServiceAccountToken: false,
      containers: [{ ...main, ...options.container }],
      ...options.spec,
    },
  };
}

/** A pod as the API has it, as far as these tests look. */
export interface SeenPod {
  readonly name: string;
  readonly uid: string;
  readonly phase: string;
  readonly ready: boolean;
  /** Of the container `main`. */
  readonly restarts: number;
  readonly waiting: string;
  readonly exitCode: number | undefined;
}

/** A container as the engine has it. */
export interface SeenContainer {
  readonly id: string;
  readonly state: string;
  readonly pod: string;
  readonly container: string;
}

/** A namespace on a live cluster, what the API says of its pods, and what the engine has of them. */
export interface Scene {
  readonly namespace: string;
  /** kubectl in the namespace; throws where it fails. */
  run(args: readonly string[], stdin?: string): Promise<string>;
  readonly kubectl: Kubectl;
  readonly start: StartKubectl;
  apply(pods: readonly object[]): Promise<void>;
  pods(): Promise<ReadonlyMap<string, SeenPod>>;
  /** Waits until that is so of each of these pods; throws what was seen last where it never is. */
  untilPods(what: string, names: readonly string[], wanted: (pod: SeenPod) => boolean, ms?: number): Promise<void>;
  untilGone(names: readonly string[], ms?: number): Promise<void>;
  containers(): Promise<readonly SeenContainer[]>;
  /** The running `main` containers' ids by pod. */
  ids(names: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /** Deletes the namespace; nothing of its pods may be left then, in the engine or on disk. */
  leaveNothing(t: Test): Promise<void>;
}

interface RawPod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly state?: { readonly waiting?: { reason?: string }; readonly terminated?: { exitCode: number } };
    }[];
  };
}

/** Makes a namespace for one test. */
export async function makeScene(t: Test, cluster: Cluster, namespace: string): Promise<Scene> {
  const kubectl = kubectlOf(cluster);
  const whole = (args: readonly string[], stdin?: string) => kubectlOutput(kubectl, args, stdin);
  const run = (args: readonly string[], stdin?: string) => whole(['-n', namespace, ...args], stdin);
  const uids = new Set<string>();
  const pods = async () => {
    const { items } = JSON.parse(await run(['get', 'pods', '-o', 'json'])) as { readonly items: readonly RawPod[] };
    for (const { metadata } of items) uids.add(metadata.uid);
    return new Map(items.map((pod) => [pod.metadata.name, seen(pod)]));
  };
  const containers = async () => await containersOf(`label=io.kubernetes.pod.namespace=${namespace}`);
  await whole(['create', 'namespace', namespace]);
  // Pods without a token of their own need no more of the namespace than this.
  await eventually('the default service account', async () =>
    (await kubectl(['-n', namespace, 'get', 'serviceaccount', 'default'])).exitCode === 0
      ? { done: true, value: undefined }
      : { done: false, reason: 'there is none' },
  );
  t.teardown(async () => {
    if (t.passing()) return;
    t.comment(await run(['get', 'pods', '-o', 'wide']).catch(String));
    t.comment(await run(['get', 'events', '--sort-by=.lastTimestamp']).catch(String));
    t.comment(JSON.stringify(await containers()));
    t.comment((await outputOf('docker', ['logs', '--tail', '80', kubeletContainer]).catch(String)).slice(-10_000));
  });
  return {
    ...{ namespace, run, kubectl, pods, containers },
    start: makeStartKubectl({ program: cluster.installed.kubectl, kubeconfig: cluster.kubeconfig }),
    async apply(items) {
      await run(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    },
    pods,
    async untilPods(what, names, wanted, ms = 60_000) {
      await eventuallySee(
        what,
        async () => {
          const all = await pods();
          return names.flatMap((name) => {
            const pod = all.get(name);
            return pod && wanted(pod) ? [] : [pod ?? `${name} is absent`];
          });
        },
        (unlike) => unlike.length === 0,
        ms,
      );
    },
    async untilGone(names, ms = 60_000) {
      await eventuallySee(
        `${names.join(', ')} to be gone`,
        async () => {
          const all = await pods();
          return names.filter((name) => all.has(name));
        },
        (left) => left.length === 0,
        ms,
      );
    },
    async ids(names) {
      const running = (await containers()).filter(
        ({ state, container }) => state === 'running' && container === 'main',
      );
      const chosen = running.filter(({ pod }) => names.includes(pod));
      return Object.fromEntries(chosen.map(({ pod, id }) => [pod, id]).sort());
    },
    async leaveNothing(t) {
      await pods();
      await whole(['delete', 'namespace', namespace, '--timeout=120s']);
      const left = await eventuallySee('all containers to be gone', containers, (some) => some.length === 0).catch(
        (error: unknown) => error,
      );
      t.same(left, [], 'the engine has nothing of its pods');
      const folders = [...uids].map((uid) => join('/var/lib/kubelet/pods', uid));
      const onDisk = async () => {
        const there = await Promise.all(folders.map(async (path) => ((await exists(path)) ? [path] : [])));
        return there.flat();
      };
      const some = await eventuallySee('all folders to be gone', onDisk, (paths) => paths.length === 0).catch(onDisk);
      t.same(some, [], `nor does the disk: ${uids.size} pods`);
    },
  };
}

function seen({ metadata, status }: RawPod): SeenPod {
  const main = status.containerStatuses?.[0];
  return {
    ...{ name: metadata.name, uid: metadata.uid, phase: status.phase ?? '' },
    ready: status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false,
    restarts: main?.restartCount ?? 0,
    waiting: main?.state?.waiting?.reason ?? '',
    exitCode: main?.state?.terminated?.exitCode,
  };
}

/** What the engine has of pods, sandboxes left out; by a filter of `docker ps`. */
export async function containersOf(filter: string): Promise<readonly SeenContainer[]> {
  const labels = ['pod', 'container'].map((kind) => `{{.Label "io.kubernetes.${kind}.name"}}`);
  const format = ['{{.ID}}', '{{.State}}', ...labels].join(' ');
  const text = await outputOf('docker', ['ps', '-a', '--no-trunc', '--filter', filter, '--format', format]);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', state = '', pod = '', container = ''] = line.split(' ');
      return { id, state, pod, container };
    });
}

/** The control plane's running containers: their ids by component. */
export async function controlPlaneIds(): Promise<Readonly<Record<string, string>>> {
  const all = await containersOf('label=io.kubernetes.pod.namespace=kube-system');
  const running = all.filter(({ state, container }) => state === 'running' && container !== 'POD');
  return Object.fromEntries(running.map(({ container, id }) => [container, id]).sort());
}

/** The host's process of a container; 0 where it doesn't run. */
export async function pidOf(container: string): Promise<number> {
  return Number(await outputOf('docker', ['inspect', '--format', '{{.State.Pid}}', container]));
}

/** `kill -9` of the kubelet. The engine starts it anew by its restart policy; the new process's id. */
export async function killKubelet(): Promise<number> {
  const before = await pidOf(kubeletContainer);
  process.kill(before, 'SIGKILL');
  return await eventuallySee(
    'the engine to start the kubelet anew',
    () => pidOf(kubeletContainer),
    (pid) => pid > 0 && pid !== before,
  );
}

/** Removes a folder when the test ends, whatever pods have written there. */
export function removeLater(t: Test, folder: string): void {
  t.teardown(() => rm(folder, { recursive: true, force: true }));
}
