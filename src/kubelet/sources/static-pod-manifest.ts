import { createHash } from 'node:crypto';
import yaml from 'js-yaml';
import { HyperupError, messageOf } from '../../base/errors.js';
import { apiTime } from '../../kube/kube-time.js';
import type { V1Pod, V1PodSpec, V1Toleration } from '../../kube/pod-objects.js';
import { withPodDefaults } from './static-pod-defaults.js';
import { type Tree, validateManifest } from './validate-manifest.js';

/** A date stays the text that it is. */
const noTimestamp = new yaml.Type('tag:yaml.org,2002:timestamp', { kind: 'scalar', resolve: () => false });
const schema = yaml.DEFAULT_SCHEMA.extend({ implicit: [noTimestamp] });

/** Aliases let a small file stand for a huge object. */
const maxNodes = 50_000;

/**
 * A static pod from the text of its manifest, YAML or JSON, as the kubelet runs it: checked, with the API server's
 * defaults, bound to the node, with a UID made of node, file and content unless it has one (v1.20
 * `kubelet/config/common.go`). Throws `InvalidConfig` that says all faults found.
 */
export function parseStaticPod(text: string, path: string, nodeName: string, nowMs: number): V1Pod {
  const manifest = loadTree(text);
  const faults = validateManifest(manifest);
  if (faults.length > 0) throw invalid(faults.join('; '));
  const pod = manifest as unknown as V1Pod & { readonly spec: V1PodSpec };
  const metadata = pod.metadata ?? {};
  const uid = metadata.uid ?? makeUid(manifest, path, nodeName);
  const name = `${metadata.name}-${nodeName.toLowerCase()}`;
  if (name.length > 253)
    throw invalid(`metadata.name: with the node's name it has ${name.length} characters, want 253`);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name,
      namespace: metadata.namespace || 'default',
      uid,
      annotations: {
        ...metadata.annotations,
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.hash': uid,
        'kubernetes.io/config.seen': apiTime(nowMs),
      },
    },
    spec: { ...withPodDefaults(pod.spec), nodeName, tolerations: withNoExecute(pod.spec.tolerations ?? []) },
    status: { phase: 'Pending' },
  };
}

function loadTree(text: string): Tree {
  let value: unknown;
  try {
    value = yaml.load(text, { schema });
  } catch (error) {
    throw new HyperupError('InvalidConfig', `it is neither YAML nor JSON: ${messageOf(error).split('\n')[0]}`, {
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is no object');
  let nodes = 0;
  const copy = (node: unknown, key: string): unknown => {
    nodes += 1;
    if (nodes > maxNodes) throw invalid(`it has more than ${maxNodes} values`);
    if (Array.isArray(node)) return node.map((item) => copy(item, ''));
    if (typeof node === 'object' && node !== null) {
      const inMap = quantityMaps.has(key);
      const entries = Object.entries(node)
        .filter(([, item]) => item !== null)
        .map(([name, item]) => [name, isNumeral(name, item, inMap) ? String(item) : copy(item, name)]);
      return Object.fromEntries(entries);
    }
    return node;
  };
  return copy(value, '') as Tree;
}

/** Where Kubernetes takes a number for a quantity. */
const quantityMaps = new Set(['limits', 'requests', 'overhead']);
const quantities = new Set(['sizeLimit', 'divisor']);

function isNumeral(name: string, value: unknown, inMap: boolean): boolean {
  return typeof value === 'number' && (inMap || quantities.has(name));
}

function makeUid(manifest: Tree, path: string, nodeName: string): string {
  const hash = createHash('sha256').update(`host:${nodeName}file:${path}`).update(JSON.stringify(manifest));
  return hash.digest('hex').slice(0, 32);
}

/** Node problems must not end what the node itself wants. */
function withNoExecute(tolerations: readonly V1Toleration[]): readonly V1Toleration[] {
  const all = tolerations.some(
    ({ operator, effect, key }) => operator === 'Exists' && !key && (!effect || effect === 'NoExecute'),
  );
  return all ? tolerations : [...tolerations, { operator: 'Exists', effect: 'NoExecute' }];
}

function invalid(message: string): HyperupError {
  return new HyperupError('InvalidConfig', message);
}
