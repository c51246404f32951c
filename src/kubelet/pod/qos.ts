import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { nanosToNumber, quantityNanos } from './quantity.js';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

type Amounts = Map<string, bigint>;
type QuantityTexts = Readonly<Record<string, string>>;

/** A container's requests; a limit without a request is its request too, as the API server fills in (and static pods lack). */
export function effectiveRequests(container: V1Container): QuantityTexts {
  return { ...container.resources?.limits, ...container.resources?.requests };
}

/**
 * The pod's class by cpu and memory: none asked for anything, all are limited to what they asked for, or neither. Init
 * containers count too. Throws `InvalidConfig` on a malformed quantity (v1.20 `pkg/apis/core/v1/helper/qos/qos.go`).
 */
export function qosClassOf(pod: V1Pod): QosClass {
  const requests: Amounts = new Map();
  const limits: Amounts = new Map();
  let allLimited = true;
  for (const container of [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]) {
    add(requests, computeAmounts(effectiveRequests(container)));
    const own = computeAmounts(container.resources?.limits ?? {});
    add(limits, own);
    allLimited &&= own.size === 2;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const equal = requests.size === limits.size && [...requests].every(([name, amount]) => limits.get(name) === amount);
  return allLimited && equal ? 'Guaranteed' : 'Burstable';
}

/** Cpu and memory, where above zero. */
function computeAmounts(texts: QuantityTexts): Amounts {
  const found: Amounts = new Map();
  for (const name of ['cpu', 'memory']) {
    const amount = quantityNanos(texts[name] ?? '0');
    if (amount > 0n) found.set(name, amount);
  }
  return found;
}

/**
 * What the pod asks for in all, by resource, in cores, bytes or pieces: the sum of containers and sidecars, or the
 * greatest init container with the sidecars before it, and the overhead. Take cpu's thousandths with `toMillis`. Throws
 * `InvalidConfig` (v1.20 `pkg/api/v1/resource/helpers.go`; sidecars v1.29).
 */
export function podRequests(pod: V1Pod): Record<string, number> {
  const total = sumOf(pod, effectiveRequests);
  add(total, amountsOf(pod.spec?.overhead ?? {}));
  return asNumbers(total);
}

/** The same of limits; overhead counts only where there is a limit. A resource that nothing limits is absent. */
export function podLimits(pod: V1Pod): Record<string, number> {
  const total = sumOf(pod, (container) => container.resources?.limits ?? {});
  for (const [name, amount] of amountsOf(pod.spec?.overhead ?? {})) {
    const before = total.get(name);
    if (before) total.set(name, before + amount);
  }
  return asNumbers(total);
}

function sumOf(pod: V1Pod, resourcesOf: (container: V1Container) => QuantityTexts): Amounts {
  const total: Amounts = new Map();
  for (const container of pod.spec?.containers ?? []) add(total, amountsOf(resourcesOf(container)));
  const sidecars: Amounts = new Map();
  const highest: Amounts = new Map();
  for (const container of pod.spec?.initContainers ?? []) {
    const own = amountsOf(resourcesOf(container));
    if (container.restartPolicy === 'Always') {
      add(total, own);
      add(sidecars, own);
      max(highest, sidecars);
    } else {
      add(own, sidecars);
      max(highest, own);
    }
  }
  max(total, highest);
  return total;
}

function amountsOf(texts: QuantityTexts): Amounts {
  return new Map(Object.entries(texts).map(([name, text]) => [name, quantityNanos(text)]));
}

function add(to: Amounts, more: Amounts): void {
  for (const [name, amount] of more) to.set(name, (to.get(name) ?? 0n) + amount);
}

function max(to: Amounts, other: Amounts): void {
  for (const [name, amount] of other) {
    const before = to.get(name);
    if (before === undefined || amount > before) to.set(name, amount);
  }
}

function asNumbers(amounts: Amounts): Record<string, number> {
  return Object.fromEntries([...amounts].map(([name, amount]) => [name, nanosToNumber(amount)]));
}
