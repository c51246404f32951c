import type { V1PodCondition, V1PodStatus } from '../../kube/pod-objects.js';
import { findCondition, isKubeletCondition } from '../pod/conditions.js';

/** Fields that the kubelet owns and that a patch replaces as a whole. */
const plainFields = [
  'phase',
  'reason',
  'message',
  'hostIP',
  'podIP',
  'startTime',
  'qosClass',
  'observedGeneration',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
] as const;

/** Lists that the API server merges by `ip`, so that what goes has to be named. */
const addressFields = ['podIPs', 'hostIPs'] as const;

/**
 * What a strategic merge patch of `status` has to say to turn the server's status into the wanted one; undefined where
 * they mean the same. Container statuses are replaced as a list, conditions merge by type and addresses by ip (v1.20
 * `core/v1/types.go`). Conditions of others and fields that the kubelet doesn't write are left alone.
 */
export function statusPatch(server: V1PodStatus | undefined, wanted: V1PodStatus): object | undefined {
  const patch: Record<string, unknown> = {};
  for (const field of plainFields) {
    const has = server?.[field];
    const wants = wanted[field];
    if (field === 'observedGeneration' && wants === undefined) continue;
    if (canonical(has) === canonical(wants)) continue;
    patch[field] = isEmpty(wants) ? null : wants;
  }
  for (const field of addressFields) {
    // Older servers don't know `hostIPs`, and who doesn't say them doesn't mean them gone.
    if (wanted[field] === undefined && field === 'hostIPs') continue;
    const has = addressesOf(server?.[field]);
    const wants = addressesOf(wanted[field]);
    if (has.join() === wants.join()) continue;
    patch[field] = [
      ...wants.map((ip) => ({ ip })),
      ...has.filter((ip) => !wants.includes(ip)).map((ip) => ({ $patch: 'delete', ip })),
    ];
    if (wants.length > 0) patch[`$setElementOrder/${field}`] = wants.map((ip) => ({ ip }));
  }
  const conditions = conditionsPatch(server?.conditions, wanted.conditions);
  if (conditions.length > 0) patch['conditions'] = conditions;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/**
 * A text that is the same for values that the API server takes for the same: keys in order, times in whole seconds,
 * nulls and empty texts, lists and objects as if they weren't there.
 */
export function canonical(value: unknown): string {
  return JSON.stringify(plain(value)) ?? '';
}

/** Whether a patch says nothing that an earlier one hadn't said. Pure. */
export function saysNothingNew(patch: object, earlier: object): boolean {
  const said = earlier as Readonly<Record<string, unknown>>;
  return Object.entries(patch).every(([field, value]: [string, unknown]) => {
    if (field !== 'conditions' || !Array.isArray(value)) return canonical(value) === canonical(said[field]);
    const conditions = new Set((said['conditions'] as readonly unknown[] | undefined)?.map(canonical));
    return value.every((condition) => conditions.has(canonical(condition)));
  });
}

function conditionsPatch(
  server: readonly V1PodCondition[] | undefined,
  wanted: readonly V1PodCondition[] | undefined,
): object[] {
  if (wanted === undefined || wanted.length === 0) return [];
  const changed = wanted.flatMap((condition) => {
    const { type, lastProbeTime: _, ...rest } = condition;
    const has = findCondition(server, type);
    const ours = isKubeletCondition(type) || (type === 'DisruptionTarget' && has === undefined);
    if (!ours || (has !== undefined && saysSame(has, condition))) return [];
    return [
      {
        type,
        ...(has?.reason && !rest.reason ? { reason: null } : {}),
        ...(has?.message && !rest.message ? { message: null } : {}),
        ...rest,
      },
    ];
  });
  const gone = (server ?? []).filter(
    ({ type }) => isKubeletCondition(type) && findCondition(wanted, type) === undefined,
  );
  return [...changed, ...gone.map(({ type }) => ({ $patch: 'delete', type }))];
}

function saysSame(a: V1PodCondition, b: V1PodCondition): boolean {
  return (
    a.status === b.status &&
    (a.reason ?? '') === (b.reason ?? '') &&
    (a.message ?? '') === (b.message ?? '') &&
    (b.observedGeneration === undefined || a.observedGeneration === b.observedGeneration)
  );
}

function addressesOf(list: readonly { readonly ip?: string }[] | undefined): string[] {
  return (list ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

const fractionOfTime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$/;

function plain(value: unknown): unknown {
  if (value === null || value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value.replace(fractionOfTime, '$1Z');
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => plain(item) ?? null);
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value)
    .map(([key, item]) => [key, plain(item)] as const)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
