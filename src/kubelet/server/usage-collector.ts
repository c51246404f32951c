import { readFile, stat } from 'node:fs/promises';
import type { ContainerStats } from '../../docker/runtime-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { RuntimeContainer, RuntimeSandbox } from '../types.js';
import { networksOf } from './node-usage.js';
import type { EndpointOptions, NodeUsage, VolumeUsage } from './server-types.js';

/** One reading serves all requests of so long. */
const freshMs = 1_000;
/** Calls to the engine at one time. */
const parallel = 8;

export interface MeasuredContainer {
  readonly container: RuntimeContainer;
  readonly stats: ContainerStats;
  /** Over the time since the reading before; undefined at the first. */
  readonly nanoCores: number | undefined;
  readonly logBytes: number | undefined;
}

export interface MeasuredPod {
  readonly pod: V1Pod;
  readonly sandbox: RuntimeSandbox | undefined;
  readonly sandboxStats: ContainerStats | undefined;
  readonly containers: readonly MeasuredContainer[];
  readonly volumes: readonly VolumeUsage[];
}

export interface Measurement {
  readonly node: NodeUsage;
  readonly nodeNanoCores: number | undefined;
  readonly pods: readonly MeasuredPod[];
}

/** Readings of the machine and of all running pods; made when asked for, shared by requests of the same second. */
export type MeasureUsage = () => Promise<Measurement>;

export function createUsageCollector(
  options: Pick<EndpointOptions, 'host' | 'engine' | 'clock' | 'hostRoot'>,
): MeasureUsage {
  const { host, engine, clock, hostRoot } = options;
  /** CPU time as of the reading before, by container; `node` for the machine. */
  let before = new Map<string, { readonly timeMs: number; readonly nanoseconds: number }>();
  let newest: { readonly madeAtMs: number; readonly result: Promise<Measurement> } | undefined;

  async function measure(): Promise<Measurement> {
    const after: typeof before = new Map();
    const rate = (id: string, timeMs: number, nanoseconds: number) => {
      after.set(id, { timeMs, nanoseconds });
      const last = before.get(id);
      if (last === undefined || timeMs <= last.timeMs || nanoseconds < last.nanoseconds) return undefined;
      return Math.round((nanoseconds - last.nanoseconds) / ((timeMs - last.timeMs) / 1000));
    };
    const limit = makeLimit(parallel);
    const read = (id: string) => limit(() => engine.containerStats(id)).catch(() => undefined);
    const [node, pods] = await Promise.all([
      host.nodeUsage(),
      Promise.all(host.pods().map((pod) => measurePod(pod, read, rate))),
    ]);
    const nodeNanoCores = rate('node', node.timeMs, node.cpuUsageNanoseconds);
    before = after;
    return { node, nodeNanoCores, pods: pods.filter((pod) => pod !== undefined) };
  }

  async function measurePod(
    pod: V1Pod,
    read: (id: string) => Promise<ContainerStats | undefined>,
    rate: (id: string, timeMs: number, nanoseconds: number) => number | undefined,
  ): Promise<MeasuredPod | undefined> {
    const status = host.knownStatus(pod);
    const sandbox = status?.sandboxes.find((one) => one.state === 'ready');
    const running = status?.containers.filter((container) => container.state === 'running') ?? [];
    if (sandbox === undefined && running.length === 0) return undefined;
    const containers = running.map(async (container): Promise<MeasuredContainer | undefined> => {
      const [stats, logBytes] = await Promise.all([read(container.id), sizeOf(container.logPath)]);
      if (stats === undefined) return undefined;
      const nanoCores = rate(container.id, stats.timeMs, stats.cpuUsageNanoseconds);
      return { container, stats, nanoCores, logBytes };
    });
    const [measured, sandboxStats, volumes] = await Promise.all([
      Promise.all(containers),
      sandbox === undefined ? undefined : read(sandbox.id).then((stats) => stats && withNetworks(stats, sandbox)),
      host.volumeUsage?.(pod).catch(() => []) ?? [],
    ]);
    return { pod, sandbox, sandboxStats, containers: measured.filter((one) => one !== undefined), volumes };
  }

  async function sizeOf(logPath: string): Promise<number | undefined> {
    if (logPath === '') return undefined;
    return await stat(`${hostRoot}${logPath}`).then(
      ({ size }) => size,
      () => undefined,
    );
  }

  return () => {
    const now = clock.monotonicMs();
    if (newest !== undefined && now - newest.madeAtMs < freshMs) return newest.result;
    const result = measure();
    const made = { madeAtMs: now, result };
    newest = made;
    result.catch(() => {
      if (newest === made) newest = undefined;
    });
    return result;
  };
}

/** The engine counts on its own network alone. */
async function withNetworks(stats: ContainerStats, { hostNetwork, pid }: RuntimeSandbox): Promise<ContainerStats> {
  if (hostNetwork || Object.keys(stats.networks).length > 0) return stats;
  const counters = await readFile(`/proc/${pid}/net/dev`, 'utf8').catch(() => '');
  return { ...stats, networks: networksOf(counters) };
}

/** At most so many at one time, the others in their order. */
function makeLimit(count: number) {
  let free = count;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
