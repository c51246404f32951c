import type { KubeletOptions } from '../config/kubelet-options.js';
import { formatMillis, milliValue, parseQuantity } from '../pod/quantity.js';
import type { MachineFacts } from './machine-facts.js';

export interface NodeRoom {
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

type RoomOptions = Pick<KubeletOptions, 'maxPods' | 'reserved' | 'eviction'>;

/**
 * What the node has and what of it pods may ask for: without reserves, hard eviction thresholds and, of memory, huge pages
 * (v1.20 `pkg/kubelet/nodestatus/setters.go`, MachineInfo; `pkg/kubelet/cm/node_container_manager_linux.go`). Pure.
 */
export function computeNodeRoom(facts: MachineFacts, options: RoomOptions): NodeRoom {
  const hugePages = [...facts.hugePages].map(([sizeBytes, bytes]) => [hugePageName(sizeBytes), bytes] as const);
  const capacity: Record<string, string> = {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    pods: String(options.maxPods),
    'ephemeral-storage': `${Math.floor(facts.diskBytes / 1024)}Ki`,
  };
  for (const [name, bytes] of hugePages) capacity[name] = bytes === 0 ? '0' : `${bytes / 1024}Ki`;

  const { hard } = options.eviction;
  const reserved = (name: string) => parseQuantity(options.reserved[name] ?? '0');
  const inHugePages = hugePages.reduce((sum, [, bytes]) => sum + bytes, 0);
  const memory =
    facts.memoryBytes - reserved('memory') - threshold(hard['memory.available'], facts.memoryBytes) - inHugePages;
  const disk = facts.diskBytes - reserved('ephemeral-storage') - threshold(hard['nodefs.available'], facts.diskBytes);
  const milliCpus = facts.cpus * 1000 - milliValue(options.reserved['cpu'] ?? '0');
  return {
    capacity,
    allocatable: {
      ...capacity,
      cpu: formatMillis(Math.max(0, milliCpus)),
      memory: `${Math.max(0, Math.floor(memory / 1024))}Ki`,
      'ephemeral-storage': String(Math.max(0, Math.floor(disk))),
    },
  };
}

/** `hugepages-2Mi`, `hugepages-1Gi`. */
function hugePageName(sizeBytes: number): string {
  const megabytes = sizeBytes / 1024 ** 2;
  return megabytes >= 1024 ? `hugepages-${megabytes / 1024}Gi` : `hugepages-${megabytes}Mi`;
}

/** Bytes of a threshold, which is a quantity or a share of the whole. */
export function threshold(text: string | undefined, wholeBytes: number): number {
  if (text === undefined) return 0;
  return text.endsWith('%') ? (wholeBytes * Number(text.slice(0, -1))) / 100 : parseQuantity(text);
}

/** Resources that the kubelet itself knows; whatever else a node lists is somebody's extended resource. */
export function isNativeResource(name: string): boolean {
  return (
    ['cpu', 'memory', 'pods', 'ephemeral-storage', 'storage'].includes(name) ||
    name.startsWith('hugepages-') ||
    name.startsWith('attachable-volumes-')
  );
}

/**
 * Ours over what stands in the API: entries that somebody else added to the capacity stay and become allocatable, and
 * allocatable ones that left the capacity go (setters.go). Pure.
 */
export function mergeRoom(ours: NodeRoom, found: Partial<NodeRoom>): NodeRoom {
  const foreign = Object.fromEntries(Object.entries(found.capacity ?? {}).filter(([name]) => !isNativeResource(name)));
  return {
    capacity: { ...foreign, ...ours.capacity },
    allocatable: { ...foreign, ...ours.allocatable },
  };
}
