import { HyperupError } from '../../base/errors.js';
import type { V1Container, V1Pod, V1ResourceFieldSelector } from '../../kube/pod-objects.js';
import { effectiveRequests } from './qos.js';
import { ceilToDivisor, quantityNanos } from './quantity.js';

/**
 * One field of the pod as text: metadata's name, namespace, uid, labels and annotations (whole or one, `['key']`), the
 * node's and service account's name, and the addresses, which the caller gives because the pod's status may lag. Throws
 * `InvalidConfig` for any other path (v1.20 `pkg/fieldpath/fieldpath.go`, `podFieldSelectorRuntimeValue`).
 */
export function extractFieldPath(
  pod: V1Pod,
  path: string,
  hostIps: readonly string[],
  podIps: readonly string[],
): string {
  const { metadata, spec } = pod;
  const subscripted = /^(.+?)\['(.*)'\]$/s.exec(path);
  if (subscripted) {
    const [, parent, key = ''] = subscripted;
    if (parent === 'metadata.labels') return own(metadata?.labels, key);
    if (parent === 'metadata.annotations') return own(metadata?.annotations, key);
    throw new HyperupError('InvalidConfig', `fieldPath "${path}" does not support subscript`, { details: { path } });
  }
  switch (path) {
    case 'metadata.name':
      return metadata?.name ?? '';
    case 'metadata.namespace':
      return metadata?.namespace ?? '';
    case 'metadata.uid':
      return metadata?.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata?.labels ?? {});
    case 'metadata.annotations':
      return formatMap(metadata?.annotations ?? {});
    case 'spec.nodeName':
    case 'spec.host':
      return spec?.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName ?? '';
    case 'status.hostIP':
      return hostIps[0] ?? '';
    case 'status.hostIPs':
      return hostIps.join(',');
    case 'status.podIP':
      return podIps[0] ?? '';
    case 'status.podIPs':
      return podIps.join(',');
    default:
      throw new HyperupError('InvalidConfig', `unsupported fieldPath: ${path}`, { details: { path } });
  }
}

/** Labels may be called `constructor`. */
function own(map: Readonly<Record<string, string>> | undefined, key: string): string {
  return map !== undefined && Object.hasOwn(map, key) ? (map[key] ?? '') : '';
}

/** `key="value"` lines, keys sorted, values quoted as Go quotes; no newline at the end (v1.20 `fieldpath.FormatMap`). */
export function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${goQuote(map[key] ?? '')}`)
    .join('\n');
}

const escapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** As Go's `%q`: printable characters stay, others become `\n`, `\x00`, `\u200b` or `\U000e0001`. */
export function goQuote(text: string): string {
  let quoted = '';
  for (const character of text) {
    const known = escapes[character];
    if (known !== undefined) quoted += known;
    else if (/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character)) quoted += character;
    else {
      const hex = (character.codePointAt(0) ?? 0).toString(16);
      quoted += hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : escapeShort(hex);
    }
  }
  return `"${quoted}"`;
}

function escapeShort(hex: string): string {
  const code = Number.parseInt(hex, 16);
  return code < 0x80 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
}

/**
 * A container's request or limit in divisors, rounded up; a limit of cpu, memory or ephemeral storage that isn't set is
 * the node's allocatable. The selector's container name wins over `container`, and one of them is needed. Throws
 * `InvalidConfig` for other resources, `NotFound` for an unknown container (v1.20 `pkg/api/v1/resource/helpers.go`).
 */
export function extractResourceValue(
  pod: V1Pod,
  selector: V1ResourceFieldSelector,
  container: V1Container | undefined,
  allocatable: Readonly<Record<string, string>>,
): string {
  const name = selector.containerName ?? '';
  const target =
    name === ''
      ? container
      : [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find((one) => one.name === name);
  if (!target) throw new HyperupError('NotFound', `container ${name} not found`, { details: { name } });
  const match = /^(requests|limits)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(selector.resource);
  const resource = match?.[2];
  if (!match || resource === undefined) {
    throw new HyperupError('InvalidConfig', `unsupported container resource : ${selector.resource}`, {
      details: { resource: selector.resource },
    });
  }
  const quantity =
    match[1] === 'requests'
      ? (effectiveRequests(target)[resource] ?? '0')
      : limitOf(target, resource, allocatable[resource]);
  return ceilToDivisor(quantity, selector.divisor);
}

/** Huge pages are never overcommitted, so that the node's say nothing. */
function limitOf(container: V1Container, resource: string, allocatable: string | undefined): string {
  const limit = container.resources?.limits?.[resource] ?? '0';
  if (quantityNanos(limit) !== 0n || resource.startsWith('hugepages-')) return limit;
  return allocatable ?? '0';
}
