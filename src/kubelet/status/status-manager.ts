import type { Clock } from '../../base/clock.js';
import { isHyperupError, messageOf } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import { type Backoff, createBackoff } from '../../kube/backoff.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import type { V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import { resources } from '../../kube/resource-ref.js';
import { findCondition, isKubeletCondition, mergeConditions } from '../pod/conditions.js';
import { isMirrorPod, isStaticPod, podUidOf } from '../pod/pod-names.js';
import type { PodUid, Statuses } from '../types.js';
import { readyCondition } from './generate-conditions.js';
import { isTerminalPhase } from './pod-phase.js';
import { canonical, saysNothingNew, statusPatch } from './status-patch.js';

export interface StatusManagerOptions {
  readonly client: Pick<KubeClient, 'patch' | 'find'>;
  readonly clock: Clock;
  /** The mirror pod of a static pod, as the API server has it; undefined while there is none. */
  readonly mirrorOf: (uid: PodUid) => V1Pod | undefined;
  readonly logger?: Logger | undefined;
  /** From 0 to 1; spreads retries. */
  readonly random?: (() => number) | undefined;
}

export interface StatusManager extends Statuses {
  /** Begins to send; what was set before is sent now. */
  start(): void;
  /** Ends all calls; resolves when none is left. */
  stop(): Promise<void>;
  /**
   * A pod as the API server has it now, mirror pods included. Where somebody else has overwritten our status it is
   * written again; where a readiness gate has changed, so does `Ready`.
   */
  onPodUpdate(pod: V1Pod): void;
  /** Compares all pods with what the server is known to have and sends what differs; happens every 10 s by itself. */
  reconcileNow(): void;
}

/** v1.20 `status_manager.go`. */
const fullSyncMs = 10_000;
/** At once; the client has 16 connections for all calls. */
const parallelPatches = 8;
const patchTimeoutMs = 10_000;

interface Entry {
  readonly uid: PodUid;
  pod: V1Pod;
  status: V1PodStatus;
  /** Grows with each change of the status. */
  version: number;
  reported: number;
  /** The newest object of the API that was seen: the pod or, for a static pod, its mirror. */
  server: V1Pod | undefined;
  /** What the server made of our patch, where that wasn't what it was told: no use to tell it again. */
  refused: string | undefined;
  gone: boolean;
  sending: boolean;
  /** Not before this; monotonic. */
  retryAtMs: number;
  readonly backoff: Backoff;
}

/**
 * Keeps pods' statuses and tells the API server of them: by a strategic merge patch of what differs from the newest
 * object seen, at once, pods side by side, one call a pod at a time and the latest status wins. Another pod of the same
 * name never gets it: the patch has the UID (v1.20 `status/status_manager.go`, which asks for the pod first).
 */
export function createStatusManager(options: StatusManagerOptions): StatusManager {
  const { client, clock, mirrorOf, logger = silentLogger, random = Math.random } = options;
  const entries = new Map<PodUid, Entry>();
  const queue = new Set<Entry>();
  const inFlight = new Set<Promise<void>>();
  const controller = new AbortController();
  const { signal } = controller;
  let started = false;
  let syncing: Promise<void> | undefined;

  /** What the patch is for. */
  function targetOf(entry: Entry): V1Pod | undefined {
    if (!isStaticPod(entry.pod)) return entry.server;
    const mirror = mirrorOf(entry.uid);
    if (mirror && mirror.metadata?.uid === entry.server?.metadata?.uid && isOlder(mirror, entry.server)) {
      return entry.server;
    }
    return mirror;
  }

  function remember(entry: Entry, pod: V1Pod): void {
    const sameUid = pod.metadata?.uid === entry.server?.metadata?.uid;
    if (sameUid && isOlder(pod, entry.server)) return;
    entry.server = pod;
    if (!sameUid) entry.gone = false;
  }

  function enqueue(entry: Entry): void {
    if (entries.get(entry.uid) !== entry || entry.gone) return;
    queue.add(entry);
    pump();
  }

  function pump(): void {
    if (!started || signal.aborted) return;
    for (const entry of queue) {
      if (inFlight.size >= parallelPatches) return;
      if (entry.sending || clock.monotonicMs() < entry.retryAtMs) continue;
      queue.delete(entry);
      if (entries.get(entry.uid) !== entry || entry.gone) continue;
      const patch = plan(entry);
      if (patch === undefined) continue;
      entry.sending = true;
      // Overwritten by somebody else counts as not told.
      entry.reported = Math.min(entry.reported, entry.version - 1);
      const call = send(entry, patch.target, patch.body, entry.version).finally(() => {
        inFlight.delete(call);
        entry.sending = false;
        // A status that came meanwhile, or a retry whose time has not come, is still in the queue.
        pump();
      });
      inFlight.add(call);
    }
  }

  /** Undefined where there is nothing to say or nobody to say it to. */
  function plan(entry: Entry): { target: V1Pod; body: object } | undefined {
    const target = targetOf(entry);
    if (target === undefined) return undefined;
    const body = statusPatch(target.status, entry.status);
    if (body === undefined || canonical(body) === entry.refused) {
      entry.reported = entry.version;
      return undefined;
    }
    return { target, body };
  }

  async function send(entry: Entry, target: V1Pod, body: object, version: number): Promise<void> {
    const { name = '', namespace, uid } = target.metadata ?? {};
    try {
      const updated = await client.patch(
        resources.pods,
        { name, namespace },
        { type: 'strategic', body: { metadata: { uid }, status: body } },
        { subresource: 'status', signal, timeoutMs: patchTimeoutMs },
      );
      entry.backoff.reset();
      entry.retryAtMs = 0;
      entry.reported = Math.max(entry.reported, version);
      // Where the server has dropped part of it (a field it doesn't know), saying it again would go on for ever. What wasn't
      // said this time has been overwritten meanwhile.
      const left = statusPatch(updated.status, entry.status);
      const isRefused = left !== undefined && version === entry.version && saysNothingNew(left, body);
      entry.refused = isRefused ? canonical(left) : undefined;
      remember(entry, updated);
      if (left && !isRefused) queue.add(entry);
      logger.debug('Pod status written', { pod: name, podUID: uid, phase: entry.status.phase });
    } catch (error) {
      if (signal.aborted) return;
      await onFailure(entry, target, error);
    }
  }

  async function onFailure(entry: Entry, target: V1Pod, error: unknown): Promise<void> {
    const { name = '', namespace, uid } = target.metadata ?? {};
    const fields = { pod: `${namespace}/${name}`, podUID: uid, err: messageOf(error) };
    if (isHyperupError(error, 'NotFound')) {
      entry.gone = true;
      logger.debug('Pod status not written: the pod is gone', fields);
      return;
    }
    if (isHyperupError(error, 'Conflict')) {
      const now = await client
        .find(resources.pods, { name, namespace }, { signal, timeoutMs: patchTimeoutMs })
        .catch(() => target);
      if (now?.metadata?.uid !== uid) {
        entry.gone = true;
        logger.debug('Pod status not written: another pod has its name', fields);
        return;
      }
      remember(entry, now ?? target);
    }
    const waitMs = entry.backoff.nextMs();
    entry.retryAtMs = clock.monotonicMs() + waitMs;
    queue.add(entry);
    const level = entry.backoff.attempts() === 1 ? 'warn' : 'debug';
    logger[level]('Pod status not written, will be tried again', { ...fields, waitMs });
    const again = () => {
      entry.retryAtMs = 0;
      pump();
    };
    clock.sleep(waitMs, signal).then(again, () => {});
  }

  /** `Ready` by the readiness gates of the pod as it is now. */
  function withGates(entry: Entry): V1PodStatus {
    const { spec } = entry.pod;
    const containersReady = findCondition(entry.status.conditions, 'ContainersReady');
    if (!spec?.readinessGates?.length || containersReady === undefined) return entry.status;
    const foreign = (entry.server?.status?.conditions ?? []).filter(({ type }) => !isKubeletCondition(type));
    const own = (entry.status.conditions ?? []).filter(({ type }) => isKubeletCondition(type));
    const { observedGeneration } = containersReady;
    const { lastTransitionTime: _, ...ready } = readyCondition({ spec, foreign }, containersReady);
    const next = observedGeneration === undefined ? ready : { ...ready, observedGeneration };
    return { ...entry.status, conditions: [...foreign, ...mergeConditions(own, [next], clock.now())] };
  }

  function update(entry: Entry, status: V1PodStatus): void {
    if (canonical(status) === canonical(entry.status) && entry.version > 0) return;
    entry.status = status;
    entry.version += 1;
    entry.refused = undefined;
  }

  const manager: StatusManager = {
    get: (uid) => entries.get(uid)?.status,
    set(pod, status) {
      const uid = podUidOf(pod);
      let entry = entries.get(uid);
      if (entry === undefined) {
        const backoff = createBackoff({ initialMs: 200, maxMs: fullSyncMs / 2, random });
        entry = {
          uid,
          pod,
          status: {},
          version: 0,
          reported: 0,
          server: undefined,
          refused: undefined,
          gone: false,
          sending: false,
          retryAtMs: 0,
          backoff,
        };
        entries.set(uid, entry);
      }
      entry.pod = pod;
      if (!isStaticPod(pod)) remember(entry, pod);
      update(entry, settled(status, entry.version > 0 ? entry.status : targetOf(entry)?.status, clock.now()));
      enqueue(entry);
    },
    isReported(uid) {
      const entry = entries.get(uid);
      if (entry === undefined || entry.gone || entry.reported === entry.version) return true;
      return isStaticPod(entry.pod) && mirrorOf(uid) === undefined;
    },
    forget(uid) {
      const entry = entries.get(uid);
      entries.delete(uid);
      if (entry) queue.delete(entry);
    },
    onPodUpdate(pod) {
      const entry = entries.get(podUidOf(pod));
      if (entry === undefined || isMirrorPod(pod) !== isStaticPod(entry.pod)) return;
      remember(entry, pod);
      if (!isMirrorPod(pod)) entry.pod = pod;
      const status = withGates(entry);
      const theirs = entry.server?.status;
      // A phase that ends the pod counts whoever wrote it; the pod's worker makes it true.
      const over = isTerminalPhase(theirs?.phase) && !isTerminalPhase(status.phase);
      update(entry, over ? settled(status, theirs, clock.now()) : status);
      enqueue(entry);
    },
    reconcileNow() {
      for (const entry of entries.values()) enqueue(entry);
    },
    start() {
      if (started) return;
      started = true;
      pump();
      syncing = (async () => {
        while (!signal.aborted) {
          await clock.sleep(fullSyncMs, signal).catch(() => {});
          if (!signal.aborted) manager.reconcileNow();
        }
      })();
    },
    async stop() {
      controller.abort();
      await syncing;
      await Promise.all(inFlight);
      queue.clear();
    },
  };
  return manager;
}

/** A status beside the one before it: what never changes, and since when its conditions are so. */
function settled(status: V1PodStatus, before: V1PodStatus | undefined, nowMs: number): V1PodStatus {
  const own = (before?.conditions ?? []).filter(({ type }) => isKubeletCondition(type));
  const next = status.conditions ?? [];
  const { reason: _reason, message: _message, ...rest } = status;
  const terminal =
    isTerminalPhase(before?.phase) && before.phase !== status.phase
      ? {
          ...rest,
          phase: before.phase,
          ...(before.reason ? { reason: before.reason } : {}),
          ...(before.message ? { message: before.message } : {}),
        }
      : status;
  const startTime = before?.startTime ?? status.startTime;
  return {
    ...terminal,
    ...(startTime === undefined ? {} : { startTime }),
    ...(next.length === 0 ? {} : { conditions: mergeConditions(own, next, nowMs) }),
  };
}

/** Resource versions are numbers of one sequence, which Kubernetes has promised since v1.35 and etcd always kept. */
function isOlder(pod: V1Pod, than: V1Pod | undefined): boolean {
  const [version, known] = [pod.metadata?.resourceVersion, than?.metadata?.resourceVersion].map(Number);
  return version !== undefined && known !== undefined && version < known;
}
