import type { Clock } from '../../base/clock.js';
import { HyperupError, isHyperupError, messageOf } from '../../base/errors.js';
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

const callTimeoutMs = 10_000;

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
  /** A connection that hangs must not keep the node from saying that it lives. */
  const call = { signal, timeoutMs: callTimeoutMs };
  let reportedAtMs = Number.NEGATIVE_INFINITY;
  let early = new AbortController();
  let tasks: Promise<unknown>[] = [];

  async function registerOnce(): Promise<void> {
    const reading = await options.read();
    try {
      node = await client.create(resources.nodes, initialNode(reading, clock.now()), call);
    } catch (error) {
      if (!isHyperupError(error, 'AlreadyExists')) throw error;
      node = await adopt(await client.get(resources.nodes, key, call), reading);
      logger.info('Node was registered before', { node: nodeName });
      // What stands there may be long out of date.
      await reportOn(node, reading);
      return;
    }
    reportedAtMs = clock.monotonicMs();
    logger.info('Node registered', { node: nodeName });
    for (const { type, isTrue, reason } of reading.conditions) announce(type, isTrue, reason);
  }

  /** A node that is there already gets our labels. */
  async function adopt(found: V1Node, reading: NodeReading): Promise<V1Node> {
    const labels = { ...ownLabels(reading), ...reading.options.node.labels };
    const annotations = { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' };
    const isRight = (wanted: object, has: Readonly<Record<string, string>> | undefined) =>
      Object.entries(wanted).every(([name, value]) => has?.[name] === value);
    if (isRight(labels, found.metadata?.labels) && isRight(annotations, found.metadata?.annotations)) return found;
    const body = { metadata: { labels, annotations } };
    return await client.patch(resources.nodes, key, { type: 'strategic', body }, call);
  }

  function announce(type: string, isTrue: boolean, reason: string): void {
    const name = type === 'Ready' ? (isTrue ? 'NodeReady' : 'NodeNotReady') : `Node${reason.replace(/^Kubelet/, '')}`;
    options.events.node('Normal', name, `Node ${nodeName} status is now: ${name}`);
  }

  async function report(): Promise<void> {
    const reading = await options.read();
    const found = await client.find(resources.nodes, key, call);
    node = found;
    if (found) await reportOn(found, reading);
    else if (options.register) await registerOnce();
    else throw new HyperupError('NotFound', `report the status of node ${nodeName}: nobody has registered it`);
  }

  async function reportOn(found: V1Node, reading: NodeReading): Promise<void> {
    const status = composeNodeStatus(reading, found.status, clock.now());
    const isDue = clock.monotonicMs() - reportedAtMs >= options.statusReportMs;
    if (!isDue && !isNews(status, found.status)) return;
    node = await client.patch(
      resources.nodes,
      key,
      { type: 'strategic', body: patchOf(status, found.status) },
      { ...call, subresource: 'status' },
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
      early = new AbortController();
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

  /** Ends early where a report was asked for, even if that was during the one that has just ended. */
  async function rest(ms: number): Promise<void> {
    await clock.sleep(ms, AbortSignal.any([signal, early.signal])).catch(() => {});
  }

  async function keepLease(): Promise<void> {
    const keeper = createLeaseKeeper({
      client: {
        find: (ref, lease) => client.find(ref, lease, call),
        create: (ref, lease) => client.create(ref, lease, call),
        update: (ref, lease) => client.update(ref, lease, call),
      },
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
    reportSoon: () => early.abort(),
    current: () => node,
  };
}

/**
 * A strategic merge patch of the status: maps lose the entries that we no longer have; lists go whole, but conditions, which
 * are merged by their type. Addresses would be too, and of two of one type the second would be lost.
 */
function patchOf(status: V1NodeStatus, found: V1NodeStatus | undefined): object {
  type Amounts = Readonly<Record<string, string>>;
  // What is somebody else's is not sent back: it may have changed since it was read.
  const changes = (ours: Amounts = {}, theirs: Amounts = {}) =>
    Object.fromEntries(
      [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
        .filter((name) => ours[name] !== theirs[name])
        .map((name) => [name, ours[name] ?? null]),
    );
  return {
    status: {
      ...status,
      capacity: changes(status.capacity, found?.capacity),
      allocatable: changes(status.allocatable, found?.allocatable),
      conditions: status.conditions?.filter((condition) => !found?.conditions?.includes(condition)),
      addresses: [{ $patch: 'replace' }, ...(status.addresses ?? [])],
      volumesInUse: status.volumesInUse ?? null,
    },
  };
}
