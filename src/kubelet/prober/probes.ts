import type { Clock } from '../../base/clock.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { isHostNetwork, podUidOf } from '../pod/pod-names.js';
import type {
  ContainerId,
  ContainerKind,
  PodEvents,
  PodRuntime,
  PodUid,
  ProbeKind,
  ProbeResult,
  Probes,
  RuntimePodStatus,
} from '../types.js';
import { createProbeRunner, type RunProbe } from './run-probe.js';
import { startWorker, type Worker } from './worker.js';

/** After a restart of the kubelet all probes would be due at once; at most this late. */
const maxSpreadMs = 3000;

export interface ProbesOptions {
  readonly clock: Clock;
  readonly execSync: PodRuntime['execSync'];
  readonly events: Pick<PodEvents, 'pod'>;
  /** The newest known of a pod: `pleg.status`. */
  readonly statusOf: (uid: PodUid) => RuntimePodStatus | undefined;
  /** A result that differs from the one before; the pod has to be synced. Must not throw. */
  readonly onResult: (uid: PodUid, kind: ProbeKind, id: ContainerId, result: ProbeResult) => void;
  /** What pods on the host's network are asked at. */
  readonly hostIps: readonly string[];
  readonly logger?: Logger | undefined;
  /** From 0 to 1; spreads the first probes of what ran before this kubelet did. */
  readonly random?: (() => number) | undefined;
  /** `1.20`, for the `User-Agent`. */
  readonly version?: string | undefined;
  /** Instead of asking containers; for tests. */
  readonly runProbe?: RunProbe | undefined;
}

export interface ProbeManager extends Probes {
  /** The pod's instances have changed: to be called when the PLEG has seen so, its status being up to date. */
  wake(uid: PodUid): void;
  /** Ends all workers and the probes that are under way. */
  stop(): Promise<void>;
}

interface ProbedPod {
  pod: V1Pod;
  terminating: boolean;
  /** By container and kind. */
  readonly workers: Map<string, { readonly kind: ProbeKind; readonly worker: Worker }>;
  /** Keys of the results that its instances have. */
  readonly results: Set<string>;
}

const kinds = ['startup', 'readiness', 'liveness'] as const;

/**
 * Probes the containers of pods, one worker each container and kind of probe, so that a slow container holds no other.
 * Results are known by instance and go with it. (v1.20 `pkg/kubelet/prober/prober_manager.go`; no liveness while a pod
 * ends, v1.21.)
 */
export function createProbes(options: ProbesOptions): ProbeManager {
  const { clock, execSync, events, statusOf, onResult, hostIps } = options;
  const { logger = silentLogger, random = Math.random, version = '1.20' } = options;
  const runProbe = options.runProbe ?? createProbeRunner(execSync, version);
  const startedAtMs = clock.now();
  const pods = new Map<PodUid, ProbedPod>();
  /** By instance and kind. */
  const results = new Map<string, ProbeResult>();
  const ending = new Set<Promise<void>>();

  const keyOf = (id: ContainerId, kind: ProbeKind) => `${id}/${kind}`;
  const result = (id: ContainerId, kind: ProbeKind) => results.get(keyOf(id, kind));

  function wake(uid: PodUid): void {
    for (const { worker } of pods.get(uid)?.workers.values() ?? []) worker.wake();
  }

  function setResult(entry: ProbedPod, kind: ProbeKind, id: ContainerId, value: ProbeResult): void {
    if (result(id, kind) === value) return;
    const uid = podUidOf(entry.pod);
    results.set(keyOf(id, kind), value);
    entry.results.add(keyOf(id, kind));
    onResult(uid, kind, id, value);
    // The others have waited for it.
    if (kind === 'startup' && value === 'success') wake(uid);
  }

  function end(worker: Worker): void {
    const done = worker.stop().finally(() => ending.delete(done));
    ending.add(done);
  }

  function start(entry: ProbedPod, container: V1Container, containerKind: ContainerKind, kind: ProbeKind): void {
    const probe = container[`${kind}Probe`];
    const key = `${container.name}/${kind}`;
    if (!probe || entry.workers.has(key) || (entry.terminating && kind !== 'readiness')) return;
    const uid = podUidOf(entry.pod);
    const instance = () => statusOf(uid)?.containers.find(({ name }) => name === container.name);
    const podIp = () =>
      (isHostNetwork(entry.pod) ? hostIps[0] : statusOf(uid)?.sandboxes.find(({ ips }) => ips.length > 0)?.ips[0]) ??
      '';
    const worker = startWorker({
      clock,
      kind,
      probe,
      logger: logger.child({ podUID: uid, containerName: container.name }),
      instance,
      isUnlocked: (id) => kind === 'startup' || !container.startupProbe || result(id, 'startup') === 'success',
      result: (id) => result(id, kind),
      setResult: (id, value) => setResult(entry, kind, id, value),
      clearResult: (id) => {
        results.delete(keyOf(id, kind));
        entry.results.delete(keyOf(id, kind));
      },
      runProbe: async (id, signal) => runProbe({ id, container, probe, podIp: podIp(), signal }),
      tell: (reason, message) =>
        events.pod(entry.pod, 'Warning', reason, message, { name: container.name, kind: containerKind }),
      firstDelayMs: ({ startedAtMs: since }, periodMs) =>
        since < startedAtMs ? random() * Math.min(periodMs, maxSpreadMs) : 0,
    });
    entry.workers.set(key, { kind, worker });
  }

  return {
    result,
    wake,

    addPod(pod) {
      const uid = podUidOf(pod);
      const entry = pods.get(uid) ?? { pod, terminating: false, workers: new Map(), results: new Set() };
      entry.pod = pod;
      entry.terminating ||= pod.metadata?.deletionTimestamp !== undefined && entry.workers.size === 0;
      pods.set(uid, entry);
      for (const kind of kinds) {
        for (const container of pod.spec?.containers ?? []) start(entry, container, 'app', kind);
        for (const container of pod.spec?.initContainers ?? []) {
          if (container.restartPolicy === 'Always') start(entry, container, 'sidecar', kind);
        }
      }
    },

    stopLiveness(uid) {
      const entry = pods.get(uid);
      if (!entry) return;
      entry.terminating = true;
      for (const [key, { kind, worker }] of entry.workers) {
        if (kind === 'readiness') continue;
        entry.workers.delete(key);
        end(worker);
      }
    },

    removePod(uid) {
      const entry = pods.get(uid);
      if (!entry) return;
      pods.delete(uid);
      for (const { worker } of entry.workers.values()) end(worker);
      for (const key of entry.results) results.delete(key);
    },

    async stop() {
      for (const { workers } of pods.values()) for (const { worker } of workers.values()) end(worker);
      pods.clear();
      results.clear();
      await Promise.all(ending);
    },
  };
}
