import type { Clock } from '../../base/clock.js';
import { isHyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import { createLeaseKeeper } from '../../kube/lease-keeper.js';
import type { V1Node, V1NodeStatus } from '../../kube/node-objects.js';
import { resources } from '../../kube/resource-ref.js';
import type { PodEvents } from '../types.js';
import { composeNodeStatus, initialNode, isNews, type NodeReading, ownLabels } from './node-status.js';

export interface NodeAgentOptions {
  readonly client: Pick<KubeClient, 'find' | 'create' | 'update' | 'patch' | 'get'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: PodEvents;
  readonly nodeName: string;
  readonly register: boolean;
  readonly statusUpdateMs: number;
  readonly statusReportMs: number;
  readonly leaseSeconds: number;
  /** What is so now; asked at each report. */
  readonly read: () => Promise<NodeReading>;
}

/** Keeps the node's object, status and lease in the API. */
export interface NodeAgent {
  start(): void;
  stop(): Promise<void>;
  /** Reports without waiting for the next turn: a condition has changed. */
  reportSoon(): void;
  /** The object as we know it from our own writes; undefined before registration. */
  current(): V1Node | undefined;
}

/**
 * Registers the node, then reports its status where there is news (each `statusUpdateMs`) or the report has grown old, and
 * renews its lease each quarter of its life, whatever the reports do (v1.20 `pkg/kubelet/kubelet_node_status.go`).
 */
export function createNodeAgent(options: NodeAgentOptions): NodeAgent {
  const { client, clock, logger, nodeName } = options;
  const controller = new AbortController();
  const { signal } = controller;
  const key = { name: nodeName };
  let node: V1Node | undefined;
  let reportedAtMs = 0;
  let wakeUp: (() => void) | undefined;
  let tasks: Promise<unknown>[] = [];

  async function registerOnce(): Promise<void> {
    const reading = await options.read();
    const wanted = initialNode(reading, clock.now());
    try {
      node = await client.create(resources.nodes, wanted);
      reportedAtMs = clock.monotonicMs();
    } catch (error) {
      if (!isHyperupError(error, 'AlreadyExists')) throw error;
      node = await adopt(await client.get(resources.nodes, key), reading);
    }
    logger.info('Node registered', { node: nodeName });
    for (const { type, isTrue, reason } of reading.conditions) announce(type, isTrue, reason);
  }

  /** A node that is there already gets our labels, and at our start loses extended resources (their plugins are gone). */
  async function adopt(found: V1Node, reading: NodeReading): Promise<V1Node> {
    const labels = { ...ownLabels(reading), ...reading.options.node.labels };
    const annotations = { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' };
    const isRight = (wanted: object, has: Readonly<Record<string, string>> | undefined) =>
      Object.entries(wanted).every(([name, value]) => has?.[name] === value);
    if (isRight(labels, found.metadata?.labels) && isRight(annotations, found.metadata?.annotations)) return found;
    return await client.patch(resources.nodes, key, { type: 'strategic', body: { metadata: { labels, annotations } } });
  }

  function announce(type: string, isTrue: boolean, reason: string): void {
    const name = type === 'Ready' ? (isTrue ? 'NodeReady' : 'NodeNotReady') : `Node${reason.replace(/^Kubelet/, '')}`;
    options.events.node('Normal', name, `Node ${nodeName} status is now: ${name}`);
  }

  async function report(): Promise<void> {
    const reading = await options.read();
    // From the server's cache, as upstream: cheap, and somebody else's capacity shows in time.
    const found = (await client.find(resources.nodes, key)) ?? undefined;
    if (!found) {
      node = undefined;
      await registerOnce();
      return;
    }
    const status = composeNodeStatus(reading, found.status, clock.now());
    const isDue = clock.monotonicMs() - reportedAtMs >= options.statusReportMs;
    node = found;
    if (!isDue && !isNews(status, found.status)) return;
    node = await client.patch(
      resources.nodes,
      key,
      { type: 'strategic', body: patchOf(status, found.status) },
      { subresource: 'status' },
    );
    reportedAtMs = clock.monotonicMs();
    for (const { type, isTrue, reason } of reading.conditions) {
      const before = found.status?.conditions?.find((condition) => condition.type === type)?.status;
      if (before !== (isTrue ? 'True' : 'False')) announce(type, isTrue, reason);
    }
  }

  /** Register with growing waits from 100 ms to 7 s, then report for ever. */
  async function run(): Promise<void> {
    let waitMs = 100;
    let isRegistered = !options.register;
    while (!signal.aborted) {
      try {
        if (isRegistered) await report();
        else await registerOnce();
        isRegistered = true;
        waitMs = 100;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('Node status not reported', { node: nodeName, err: messageOf(error) });
        await rest(waitMs);
        waitMs = Math.min(waitMs * 2, 7000);
        continue;
      }
      await rest(options.statusUpdateMs);
    }
  }

  async function rest(ms: number): Promise<void> {
    const early = new AbortController();
    wakeUp = () => early.abort();
    await clock.sleep(ms, AbortSignal.any([signal, early.signal])).catch(() => {});
    wakeUp = undefined;
  }

  async function keepLease(): Promise<void> {
    const keeper = createLeaseKeeper({
      client,
      clock,
      namespace: 'kube-node-lease',
      name: nodeName,
      holderIdentity: nodeName,
      leaseDurationSeconds: options.leaseSeconds,
      owner: async () => {
        const uid = node?.metadata?.uid;
        return uid === undefined ? undefined : { apiVersion: 'v1', kind: 'Node', name: nodeName, uid };
      },
    });
    let waitMs = 100;
    while (!signal.aborted) {
      try {
        await keeper.renew();
        waitMs = 100;
        await clock.sleep(options.leaseSeconds * 250, signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('Lease not renewed', { node: nodeName, err: messageOf(error) });
        await clock.sleep(waitMs, signal).catch(() => {});
        waitMs = Math.min(waitMs * 2, 7000);
      }
    }
  }

  return {
    start() {
      tasks = [run(), keepLease()];
    },
    async stop() {
      controller.abort();
      await Promise.all(tasks);
    },
    reportSoon: () => wakeUp?.(),
    current: () => node,
  };
}

/** A strategic merge patch of the status: maps lose the entries that we no longer have, lists go whole but conditions and addresses. */
function patchOf(status: V1NodeStatus, found: V1NodeStatus | undefined): object {
  const gone = (ours: Readonly<Record<string, string>> | undefined, theirs: typeof ours) =>
    Object.fromEntries(Object.keys(theirs ?? {}).flatMap((name) => (ours?.[name] === undefined ? [[name, null]] : [])));
  const addresses = (found?.addresses ?? [])
    .filter(({ type }) => !status.addresses?.some((address) => address.type === type))
    .map(({ type }) => ({ type, $patch: 'delete' }));
  return {
    status: {
      ...status,
      capacity: { ...gone(status.capacity, found?.capacity), ...status.capacity },
      allocatable: { ...gone(status.allocatable, found?.allocatable), ...status.allocatable },
      addresses: [...addresses, ...(status.addresses ?? [])],
    },
  };
}
