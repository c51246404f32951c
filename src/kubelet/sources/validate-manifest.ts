import { shapeFaults } from './manifest-shape.js';
import { podShape } from './pod-shape.js';

/** What a manifest is before it is known to be a pod. */
export type Tree = { readonly [key: string]: unknown };

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const uidPattern = /^[A-Za-z0-9]([-A-Za-z0-9]{0,62}[A-Za-z0-9])?$/;

/**
 * Every fault that makes a manifest no pod that could run, each with the field's path; none for a good one. The API
 * server checks more (v1.20 `apis/core/validation`), and says so when the mirror pod is made.
 */
export function validateManifest(manifest: Tree): string[] {
  const faults: string[] = [];
  const want = (path: string, holds: boolean, wanted: string) => {
    if (!holds) faults.push(`${path}: want ${wanted}`);
  };
  want('apiVersion', manifest['apiVersion'] === 'v1', 'v1');
  want('kind', manifest['kind'] === 'Pod', 'Pod');
  const metadata = treeOf(manifest['metadata']);
  const spec = treeOf(manifest['spec']);
  want('metadata.name', isName(metadata['name'], subdomain, 253), 'an RFC 1123 name');
  want(
    'metadata.namespace',
    absent(metadata['namespace']) || isName(metadata['namespace'], label, 63),
    'an RFC 1123 label',
  );
  want('metadata.uid', absent(metadata['uid']) || isName(metadata['uid'], uidPattern, 64), 'letters, digits and -');
  for (const field of ['labels', 'annotations']) {
    const values = metadata[field];
    want(`metadata.${field}`, absent(values) || Object.values(treeOf(values)).every(isText), 'texts by name');
  }
  want(
    'spec.restartPolicy',
    oneOf(spec['restartPolicy'], ['Always', 'OnFailure', 'Never']),
    'Always, OnFailure or Never',
  );
  const dnsPolicies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
  want('spec.dnsPolicy', oneOf(spec['dnsPolicy'], dnsPolicies), dnsPolicies.join(', '));
  want('spec.ephemeralContainers', absent(spec['ephemeralContainers']), 'none in a static pod');
  const grace = spec['terminationGracePeriodSeconds'];
  want('spec.terminationGracePeriodSeconds', absent(grace) || isWhole(grace, 0), 'a whole number from 0');
  const volumes = listOf(spec['volumes']);
  want('spec.volumes', volumes !== undefined, 'a list');
  const volumeNames = new Set<unknown>();
  for (const [index, volume] of (volumes ?? []).entries()) {
    const path = `spec.volumes[${index}]`;
    want(`${path}.name`, isName(volume['name'], label, 63) && !volumeNames.has(volume['name']), 'a label of its own');
    volumeNames.add(volume['name']);
    if (absent(volume['hostPath'])) continue;
    const host = treeOf(volume['hostPath'])['path'];
    want(`${path}.hostPath.path`, isText(host) && host !== '' && !hasBackstep(host), 'a path without ..');
  }
  const names = new Set<unknown>();
  for (const field of ['initContainers', 'containers']) {
    const containers = listOf(spec[field]);
    const enough = field === 'initContainers' || (containers ?? []).length > 0;
    want(`spec.${field}`, containers !== undefined && enough, 'a list of containers');
    for (const [index, container] of (containers ?? []).entries()) {
      const path = `spec.${field}[${index}]`;
      want(`${path}.name`, isName(container['name'], label, 63) && !names.has(container['name']), 'a label of its own');
      names.add(container['name']);
      faults.push(...containerFaults(container, path, volumeNames));
    }
  }
  // The rooms of the kubelet trust a pod to have the API's shape, which nobody else has looked at here.
  if (faults.length === 0) faults.push(...shapeFaults(manifest, podShape, ''));
  return faults;
}

function containerFaults(container: Tree, path: string, volumes: ReadonlySet<unknown>): string[] {
  const faults: string[] = [];
  const want = (field: string, holds: boolean, wanted: string) => {
    if (!holds) faults.push(`${path}.${field}: want ${wanted}`);
  };
  const { image } = container;
  want('image', isText(image) && image !== '' && image.trim() === image, 'an image');
  want(
    'imagePullPolicy',
    oneOf(container['imagePullPolicy'], ['Always', 'IfNotPresent', 'Never']),
    'Always, IfNotPresent or Never',
  );
  for (const field of ['command', 'args']) {
    const words = container[field];
    want(field, absent(words) || (Array.isArray(words) && words.every(isText)), 'a list of texts');
  }
  for (const [index, variable] of (listOf(container['env']) ?? [{}]).entries()) {
    want(`env[${index}].name`, isText(variable['name']) && variable['name'] !== '', 'a name');
    want(`env[${index}].value`, absent(variable['value']) || isText(variable['value']), 'a text');
  }
  for (const [index, port] of (listOf(container['ports']) ?? [{}]).entries()) {
    want(`ports[${index}].containerPort`, isWhole(port['containerPort'], 1, 65_535), 'a port from 1 to 65535');
    const { hostPort } = port;
    want(`ports[${index}].hostPort`, absent(hostPort) || isWhole(hostPort, 0, 65_535), 'a port up to 65535');
  }
  for (const [index, mount] of (listOf(container['volumeMounts']) ?? [{}]).entries()) {
    const at = `volumeMounts[${index}]`;
    want(`${at}.name`, volumes.has(mount['name']), "one of the pod's volumes");
    want(`${at}.mountPath`, isText(mount['mountPath']) && mount['mountPath'] !== '', 'a path');
    const { subPath } = mount;
    want(
      `${at}.subPath`,
      absent(subPath) || (isText(subPath) && !subPath.startsWith('/') && !hasBackstep(subPath)),
      'a relative path without ..',
    );
  }
  for (const field of [
    'livenessProbe',
    'readinessProbe',
    'startupProbe',
    'lifecycle',
    'resources',
    'securityContext',
  ]) {
    want(field, absent(container[field]) || isTree(container[field]), 'an object');
  }
  return faults;
}

function absent(value: unknown): value is undefined {
  return value === undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function treeOf(value: unknown): Tree {
  return isTree(value) ? value : {};
}

/** Undefined for what is no list of objects. */
function listOf(value: unknown): readonly Tree[] | undefined {
  if (value === undefined) return [];
  return Array.isArray(value) && value.every(isTree) ? value : undefined;
}

function isName(value: unknown, pattern: RegExp, length: number): boolean {
  return isText(value) && value.length <= length && pattern.test(value);
}

function oneOf(value: unknown, allowed: readonly string[]): boolean {
  return value === undefined || (isText(value) && allowed.includes(value));
}

function isWhole(value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
}

function hasBackstep(path: string): boolean {
  return path.split('/').includes('..');
}
