import type { V1Node, V1Taint } from '../../kube/node-objects.js';
import type { V1Pod, V1Toleration } from '../../kube/pod-objects.js';
import { isCriticalPod, isMirrorPod, isStaticPod } from '../pod/pod-names.js';
import { podRequests, qosClassOf } from '../pod/qos.js';
import { parseQuantity } from '../pod/quantity.js';
import { findPortConflict } from './host-ports.js';
import { matchesNode } from './node-selection.js';
import { findForbiddenSysctl } from './sysctls.js';

/** Why a pod may not run here: the status's reason, and the sentence that its message begins "Pod " with. */
export interface Rejection {
  readonly reason: string;
  readonly message: string;
  /** A resource that is short, where that is the only reason. */
  readonly resource?: string;
  /** The node's object may be older than the scheduler's: worth another look with a fresh one. */
  readonly dependsOnNode: boolean;
}

export interface AdmissionInputs {
  readonly pod: V1Pod;
  /** Admitted ones that are not over yet, without this one. */
  readonly active: readonly V1Pod[];
  /** Undefined while nothing is known of it: static pods are admitted all the same. */
  readonly node: V1Node | undefined;
  /** Conditions that are true now: `MemoryPressure`, `DiskPressure`, `PIDPressure`. */
  readonly pressure: readonly string[];
  readonly allowedSysctls: readonly string[];
}

/**
 * The first reason against a pod, or undefined (v1.20 `pkg/kubelet/lifecycle/predicate.go`, `eviction_manager.go` Admit,
 * `sysctl/whitelist.go`). Pure.
 */
export function findRejection(inputs: AdmissionInputs): Rejection | undefined {
  const { pod, node } = inputs;
  const fixed = (reason: string, message: string) => ({ reason, message, dependsOnNode: false });
  const pressure = underPressure(pod, inputs.pressure);
  if (pressure) return fixed('Evicted', `The node had condition: [${pressure}]. `);
  const sysctl = findForbiddenSysctl(pod, inputs.allowedSysctls);
  if (sysctl) return fixed('SysctlForbidden', sysctl);
  if (!node) return undefined;
  const shortage = findShortage(inputs, node);
  if (shortage) return shortage;
  if (!matchesNode(pod, node)) {
    return { reason: 'NodeAffinity', message: 'Predicate NodeAffinity failed', dependsOnNode: true };
  }
  if (pod.spec?.nodeName !== undefined && pod.spec.nodeName !== '' && pod.spec.nodeName !== node.metadata?.name) {
    return fixed('NodeName', 'Predicate NodeName failed');
  }
  if (findPortConflict(pod, inputs.active) !== undefined) return fixed('NodePorts', 'Predicate NodePorts failed');
  if (pod.spec?.os && pod.spec.os.name !== 'linux') {
    return fixed('PodOSNotSupported', "Failed to admit pod as the OS field doesn't match node OS");
  }
  return undefined;
}

/** Memory keeps out only what asked for none and doesn't tolerate it; disk and processes keep out all but critical pods. */
function underPressure(pod: V1Pod, pressure: readonly string[]): string | undefined {
  if (pressure.length === 0 || isCriticalPod(pod)) return undefined;
  const [only] = pressure;
  if (pressure.length === 1 && only === 'MemoryPressure') {
    if (qosClassOf(pod) !== 'BestEffort') return undefined;
    const taint: V1Taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };
    if ((pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint))) return undefined;
  }
  return pressure.join(' ');
}

function findShortage({ pod, active }: AdmissionInputs, node: V1Node): Rejection | undefined {
  const allocatable = node.status?.allocatable ?? {};
  const room = parseQuantity(allocatable['pods'] ?? '0');
  if (active.length + 1 > room && !(isStaticPod(pod) && room === 0)) {
    return shortage('pods', 1, active.length, room);
  }
  const requests = podRequests(pod);
  for (const [name, requested] of Object.entries(requests)) {
    const text = allocatable[name];
    // Resources that the node doesn't list are the scheduler's affair, or a plugin's.
    if (requested === 0 || text === undefined) continue;
    const used = active.reduce((sum, other) => sum + (podRequests(other)[name] ?? 0), 0);
    const capacity = parseQuantity(text);
    if (requested + used > capacity + 1e-9) return shortage(name, requested, used, capacity);
  }
  return undefined;
}

function shortage(name: string, requested: number, used: number, capacity: number): Rejection {
  const scale = (value: number) => String(Math.round(name === 'cpu' ? value * 1000 : value));
  return {
    reason: `OutOf${name}`,
    message:
      `Node didn't have enough resource: ${name}, requested: ${scale(requested)}, ` +
      `used: ${scale(used)}, capacity: ${scale(capacity)}`,
    resource: name,
    dependsOnNode: true,
  };
}

/** Whether a toleration covers a taint (v1.20 `k8s.io/api/core/v1/toleration.go`). Pure. */
export function tolerates(toleration: V1Toleration, taint: V1Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  if (!toleration.key) return false;
  return (toleration.value ?? '') === (taint.value ?? '');
}

/**
 * Pods to stop so that a critical pod finds room: as few and as unimportant as may be, the least important class first
 * (v1.20 `pkg/kubelet/preemption`). Undefined where even all of them would not do. Pure.
 */
export function chooseVictims(
  pod: V1Pod,
  active: readonly V1Pod[],
  rejects: (without: readonly V1Pod[]) => boolean,
): readonly V1Pod[] | undefined {
  if (!isCriticalPod(pod)) return undefined;
  const rank = { BestEffort: 0, Burstable: 1, Guaranteed: 2 } as const;
  const priority = (each: V1Pod) => each.spec?.priority ?? 0;
  const candidates = active
    .filter((each) => !isStaticPod(each) && !isMirrorPod(each) && priority(each) < priority(pod))
    .toSorted((a, b) => rank[qosClassOf(a)] - rank[qosClassOf(b)] || priority(a) - priority(b));
  const chosen: V1Pod[] = [];
  const left = () => active.filter((each) => !chosen.includes(each));
  for (const candidate of candidates) {
    if (!rejects(left())) break;
    chosen.push(candidate);
  }
  if (rejects(left())) return undefined;
  // Some that were chosen early may turn out not to be needed.
  for (const candidate of [...chosen].reverse()) {
    const fewer = chosen.filter((each) => each !== candidate);
    if (!rejects(active.filter((each) => !fewer.includes(each)))) chosen.splice(chosen.indexOf(candidate), 1);
  }
  return chosen;
}
