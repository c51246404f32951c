import { silentLogger } from '../../../../src/base/logger.js';
import type { V1Container, V1Pod, V1PodSpec, V1PodStatus } from '../../../../src/kube/pod-objects.js';
import { containerHash } from '../../../../src/kubelet/pod/containers.js';
import type {
  PodFailure,
  ProbeKind,
  ProbeResult,
  RuntimeContainer,
  RuntimePodStatus,
  RuntimeSandbox,
} from '../../../../src/kubelet/types.js';
import { createPodWorkers } from '../../../../src/kubelet/workers/pod-workers.js';
import type { PodWorkersOptions, StartFailures } from '../../../../src/kubelet/workers/worker-types.js';
import { type ManualClock, makeManualClock } from '../../../fakes/manual-clock.js';

export const START_MS = 1_000_000_000;

export function makePod(uid: string, spec: Partial<V1PodSpec> = {}, metadata: V1Pod['metadata'] = {}): V1Pod {
  return {
    metadata: { uid, name: uid, namespace: 'ns', ...metadata },
    spec: { containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 30, ...spec },
  };
}

export function deleted(pod: V1Pod, graceSeconds: number): V1Pod {
  const metadata = { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: graceSeconds };
  return { ...pod, metadata };
}

export function makeSandbox(change: Partial<RuntimeSandbox> = {}): RuntimeSandbox {
  return {
    id: 's0',
    podUid: 'p',
    attempt: 0,
    state: 'ready',
    createdAtMs: START_MS,
    hostNetwork: false,
    ips: ['10.0.0.1'],
    pid: 1,
    ...change,
  };
}

export function makeInstance(container: V1Container, change: Partial<RuntimeContainer> = {}): RuntimeContainer {
  return {
    id: `${container.name}-${change.attempt ?? 0}`,
    name: container.name,
    podUid: 'p',
    sandboxId: 's0',
    attempt: 0,
    state: 'running',
    createdAtMs: START_MS,
    startedAtMs: START_MS,
    finishedAtMs: 0,
    exitCode: 0,
    reason: '',
    message: '',
    image: 'i',
    imageId: 'sha',
    hash: containerHash(container),
    pid: 1,
    logPath: '',
    tty: false,
    openStdin: false,
    ...change,
  };
}

export type FakeHook = (hook: 'postStart' | 'preStop', container: string, signal: AbortSignal) => Promise<void>;

/** All collaborators of pod workers in memory, with a record of what was asked of them. */
export function makeWorld(change: (world: World) => Partial<PodWorkersOptions> = () => ({})) {
  const world = new World();
  const workers = createPodWorkers({ ...world.options(), ...change(world) });
  return { world, workers, clock: world.clock };
}

export class World {
  readonly clock: ManualClock = makeManualClock(START_MS);
  /** What was asked of the engine, in order. */
  readonly calls: string[] = [];
  readonly events: string[] = [];
  readonly pods = new Map<string, { sandboxes: RuntimeSandbox[]; containers: RuntimeContainer[] }>();
  readonly statuses = new Map<string, V1PodStatus>();
  readonly history: { readonly uid: string; readonly status: V1PodStatus }[] = [];
  readonly deletes: string[] = [];
  readonly probeResults = new Map<string, ProbeResult>();
  readonly tornDown: string[] = [];
  reported = true;
  /** Until it resolves, starts of that pod hang. */
  hang: (what: string) => Promise<void> | undefined = () => undefined;
  /** Containers end when they are asked to, unless their name is here: then after that many seconds. */
  readonly stubborn = new Map<string, number>();
  imageFailure: ((container: string) => PodFailure | undefined) | undefined;
  hook: FakeHook = async () => {};
  /** What the newest list says, without asking again. */
  readonly seen = new Map<string, RuntimePodStatus>();
  #ids = 0;
  readonly #onEnd = new Map<string, (() => void)[]>();

  now(uid: string): RuntimePodStatus {
    const { sandboxes, containers } = this.#of(uid);
    return { uid, name: uid, namespace: 'ns', sandboxes: [...sandboxes], containers: [...containers] };
  }

  container(uid: string, name: string): RuntimeContainer | undefined {
    return this.#of(uid).containers.find((instance) => instance.name === name);
  }

  /** The newest instance of that name ends by itself. */
  end(uid: string, name: string, exitCode: number): void {
    const instance = this.container(uid, name);
    if (instance) this.#end(instance.id, exitCode);
  }

  /** As the pleg would. */
  relist(): void {
    for (const uid of this.pods.keys()) this.seen.set(uid, this.now(uid));
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  async advance(seconds: number): Promise<void> {
    this.clock.advance(seconds * 1000);
    await this.settle();
  }

  #of(uid: string) {
    const known = this.pods.get(uid) ?? { sandboxes: [], containers: [] };
    this.pods.set(uid, known);
    return known;
  }

  #end(id: string, exitCode: number): void {
    for (const tell of this.#onEnd.get(id) ?? []) tell();
    for (const pod of this.pods.values()) {
      pod.containers = pod.containers.map((instance) =>
        instance.id === id && instance.state === 'running'
          ? { ...instance, state: 'exited', exitCode, finishedAtMs: this.clock.now() }
          : instance,
      );
    }
  }

  #phase(pod: V1Pod, runtime: RuntimePodStatus, terminating: boolean): NonNullable<V1PodStatus['phase']> {
    const before = this.statuses.get(runtime.uid)?.phase ?? pod.status?.phase;
    if (before === 'Succeeded' || before === 'Failed') return before;
    const policy = pod.spec?.restartPolicy ?? 'Always';
    const newest = (name: string) => runtime.containers.find((instance) => instance.name === name);
    const states = (pod.spec?.containers ?? []).map(({ name }) => newest(name));
    const inits = (pod.spec?.initContainers ?? []).map(({ name }) => newest(name));
    if (terminating && !states.some((instance) => instance?.state === 'running')) {
      return states.every((instance) => instance?.state === 'exited' && instance.exitCode === 0)
        ? 'Succeeded'
        : 'Failed';
    }
    if (policy === 'Never' && inits.some((instance) => instance && instance.exitCode !== 0)) return 'Failed';
    if (states.some((instance) => !instance)) return 'Pending';
    if (states.some((instance) => instance?.state === 'running') || policy === 'Always') return 'Running';
    if (states.every((instance) => instance?.exitCode === 0)) return 'Succeeded';
    return policy === 'Never' ? 'Failed' : 'Running';
  }

  generateStatus = (
    pod: V1Pod,
    runtime: RuntimePodStatus,
    failures: StartFailures,
    terminating: boolean,
    failure?: { reason: string; message: string },
  ): V1PodStatus => ({
    phase: failure ? 'Failed' : this.#phase(pod, runtime, terminating),
    ...(failure && { reason: failure.reason }),
    startTime: new Date(START_MS).toISOString(),
    containerStatuses: (pod.spec?.containers ?? []).map(({ name }) => {
      const instance = runtime.containers.find((one) => one.name === name);
      const waiting = failures.get(name) ?? { reason: 'ContainerCreating' };
      const running = instance?.state === 'running';
      const terminated = instance && !running && !failures.has(name) && { exitCode: instance.exitCode };
      return {
        name,
        ready: running,
        restartCount: instance?.attempt ?? 0,
        image: 'i',
        imageID: '',
        ...(instance && { containerID: instance.id }),
        state: running ? { running: {} } : terminated ? { terminated } : { waiting },
      };
    }),
  });

  options(): PodWorkersOptions {
    const { clock, calls, probeResults, seen } = this;
    return {
      clock,
      logger: silentLogger,
      random: () => 0,
      runtime: {
        listPods: async () => [],
        podStatus: async (uid) => this.now(uid),
        runPodSandbox: async (pod, attempt) => {
          const uid = pod.metadata?.uid ?? '';
          calls.push(`sandbox ${uid} ${attempt}`);
          await this.hang(`sandbox ${uid}`);
          this.#ids += 1;
          const sandbox = makeSandbox({ id: `s${this.#ids}`, podUid: uid, attempt });
          this.#of(uid).sandboxes.unshift(sandbox);
          return sandbox;
        },
        stopPodSandbox: async (id) => {
          calls.push(`stopSandbox`);
          for (const pod of this.pods.values()) {
            pod.sandboxes = pod.sandboxes.map((one) => (one.id === id ? { ...one, state: 'notReady' } : one));
          }
        },
        startContainer: async ({ pod, container, attempt, sandbox }) => {
          const uid = pod.metadata?.uid ?? '';
          calls.push(`start ${container.name} ${attempt}`);
          await this.hang(`start ${container.name}`);
          this.#ids += 1;
          const now = clock.now();
          const made = { id: `c${this.#ids}`, podUid: uid, attempt, sandboxId: sandbox.id, createdAtMs: now };
          this.#of(uid).containers.unshift(makeInstance(container, { ...made, startedAtMs: now }));
          return made.id;
        },
        stopContainer: async (id, graceSeconds) => {
          const name = [...this.pods.values()]
            .flatMap(({ containers }) => containers)
            .find((one) => one.id === id)?.name;
          calls.push(`stop ${name} ${graceSeconds}`);
          const takes = Math.min(this.stubborn.get(name ?? '') ?? 0, graceSeconds);
          if (takes > 0) {
            const gone = new AbortController();
            this.#onEnd.set(id, [...(this.#onEnd.get(id) ?? []), () => gone.abort()]);
            await clock.sleep(takes * 1000, gone.signal).catch(() => {});
          }
          this.#end(id, 137);
        },
        removeContainer: async (id) => {
          calls.push(`remove ${id}`);
          for (const pod of this.pods.values()) pod.containers = pod.containers.filter((one) => one.id !== id);
        },
        removePod: async (uid) => {
          calls.push(`removePod ${uid}`);
          this.pods.delete(uid);
          seen.delete(uid);
        },
        execSync: async () => ({ exitCode: 0, output: '' }),
        updateResources: async (_id, _pod, container) => {
          calls.push(`resources ${container.name}`);
        },
      },
      pleg: {
        status: (uid) => seen.get(uid),
        refresh: async (uid) => {
          seen.set(uid, this.now(uid));
          return this.now(uid);
        },
        pods: () =>
          [...this.pods.keys()].map((uid) => ({
            uid,
            name: uid,
            namespace: 'ns',
            running: true,
            terminationGraceSeconds: undefined,
          })),
      },
      images: {
        ensureImage: async (_pod, { container }) => {
          await this.hang(`image ${container.name}`);
          const failure = this.imageFailure?.(container.name);
          if (failure) throw failure;
          return 'sha';
        },
      },
      volumes: {
        ensureMounted: async () => {},
        containerBinds: async () => [],
        containerDevices: async () => [],
        tearDown: async (uid) => {
          this.tornDown.push(uid);
          return true;
        },
        podsOnDisk: async () => [],
      },
      files: { containerBinds: async () => [], readTerminationMessage: async () => '' },
      environment: { makeEnvironment: async () => new Map() },
      hooks: {
        run: (_pod, container, _id, handler, _ip, signal) =>
          this.hook(handler === container.lifecycle?.preStop ? 'preStop' : 'postStart', container.name, signal),
      },
      probes: {
        result: (id: string, kind: ProbeKind) => probeResults.get(`${kind} ${id}`),
        addPod: () => {},
        stopLiveness: () => {},
        removePod: () => {},
      },
      statuses: {
        get: (uid) => this.statuses.get(uid),
        set: (pod, status) => {
          const uid = pod.metadata?.uid ?? '';
          if (JSON.stringify(this.statuses.get(uid)) === JSON.stringify(status)) return;
          this.statuses.set(uid, status);
          this.history.push({ uid, status });
        },
        isReported: () => this.reported,
        forget: (uid) => this.statuses.delete(uid),
      },
      events: {
        pod: (_pod, _type, reason, message) => this.events.push(`${reason}: ${message}`),
        node: () => {},
      },
      generateStatus: this.generateStatus,
      canRun: () => ({ ok: true }),
      networkReady: () => true,
      hostIps: () => ['192.0.2.1'],
      deletePod: async (pod) => {
        this.deletes.push(pod.metadata?.uid ?? '');
      },
    };
  }
}
