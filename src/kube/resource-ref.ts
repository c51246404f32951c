import { HyperupError } from '../base/errors.js';
import type {
  V1CertificateSigningRequest,
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1RuntimeClass,
  V1SubjectAccessReview,
  V1TokenReview,
} from './kubelet-objects.js';
import type { V1Node } from './node-objects.js';
import type {
  KubeObject,
  V1ConfigMap,
  V1Endpoints,
  V1Event,
  V1Lease,
  V1Namespace,
  V1Secret,
  V1Service,
  V1ServiceAccount,
} from './objects.js';
import type { V1Pod } from './pod-objects.js';
import type {
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1DaemonSet,
  V1Deployment,
  V1Job,
  V1ReplicationController,
} from './workload-objects.js';

/** Where a kind of object lives in the API. `objectType` is never set; it carries the object's type to the compiler. */
export interface ResourceRef<T = KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  /** As it stands in URLs, lower case. */
  readonly plural: string;
  readonly namespaced: boolean;
  readonly objectType?: T;
}

/** One object of a resource. The namespace is ignored for what has none. */
export interface ObjectKey {
  readonly name: string;
  readonly namespace?: string | undefined;
}

function core<T>(kind: string, plural: string, namespaced = true): ResourceRef<T> {
  return { apiVersion: 'v1', kind, plural, namespaced };
}

export interface ResourceTable {
  readonly pods: ResourceRef<V1Pod>;
  readonly nodes: ResourceRef<V1Node>;
  readonly namespaces: ResourceRef<V1Namespace>;
  readonly services: ResourceRef<V1Service>;
  readonly endpoints: ResourceRef<V1Endpoints>;
  readonly configMaps: ResourceRef<V1ConfigMap>;
  readonly secrets: ResourceRef<V1Secret>;
  readonly serviceAccounts: ResourceRef<V1ServiceAccount>;
  readonly events: ResourceRef<V1Event>;
  readonly replicationControllers: ResourceRef<V1ReplicationController>;
  readonly leases: ResourceRef<V1Lease>;
  readonly deployments: ResourceRef<V1Deployment>;
  readonly daemonSets: ResourceRef<V1DaemonSet>;
  readonly jobs: ResourceRef<V1Job>;
  readonly clusterRoles: ResourceRef<V1ClusterRole>;
  readonly clusterRoleBindings: ResourceRef<V1ClusterRoleBinding>;
  readonly roles: ResourceRef<V1ClusterRole>;
  readonly roleBindings: ResourceRef<V1ClusterRoleBinding>;
  readonly persistentVolumeClaims: ResourceRef<V1PersistentVolumeClaim>;
  readonly persistentVolumes: ResourceRef<V1PersistentVolume>;
  readonly certificateSigningRequests: ResourceRef<V1CertificateSigningRequest>;
  readonly runtimeClasses: ResourceRef<V1RuntimeClass>;
  readonly priorityClasses: ResourceRef;
  readonly csiNodes: ResourceRef;
  readonly tokenReviews: ResourceRef<V1TokenReview>;
  readonly subjectAccessReviews: ResourceRef<V1SubjectAccessReview>;
}

function rbac(kind: string, plural: string, namespaced: boolean) {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind, plural, namespaced };
}

/** The kinds that hyperup works with, typed. */
export const resources: ResourceTable = {
  pods: core<V1Pod>('Pod', 'pods'),
  nodes: core<V1Node>('Node', 'nodes', false),
  namespaces: core<V1Namespace>('Namespace', 'namespaces', false),
  services: core<V1Service>('Service', 'services'),
  endpoints: core<V1Endpoints>('Endpoints', 'endpoints'),
  configMaps: core<V1ConfigMap>('ConfigMap', 'configmaps'),
  secrets: core<V1Secret>('Secret', 'secrets'),
  serviceAccounts: core<V1ServiceAccount>('ServiceAccount', 'serviceaccounts'),
  events: core<V1Event>('Event', 'events'),
  replicationControllers: core<V1ReplicationController>('ReplicationController', 'replicationcontrollers'),
  leases: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases', namespaced: true },
  deployments: { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments', namespaced: true },
  daemonSets: { apiVersion: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets', namespaced: true },
  jobs: { apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', namespaced: true },
  clusterRoles: rbac('ClusterRole', 'clusterroles', false),
  clusterRoleBindings: rbac('ClusterRoleBinding', 'clusterrolebindings', false),
  roles: rbac('Role', 'roles', true),
  roleBindings: rbac('RoleBinding', 'rolebindings', true),
  persistentVolumeClaims: core<V1PersistentVolumeClaim>('PersistentVolumeClaim', 'persistentvolumeclaims'),
  persistentVolumes: core<V1PersistentVolume>('PersistentVolume', 'persistentvolumes', false),
  certificateSigningRequests: {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    plural: 'certificatesigningrequests',
    namespaced: false,
  },
  runtimeClasses: { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', plural: 'runtimeclasses', namespaced: false },
  priorityClasses: {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    plural: 'priorityclasses',
    namespaced: false,
  },
  csiNodes: { apiVersion: 'storage.k8s.io/v1', kind: 'CSINode', plural: 'csinodes', namespaced: false },
  tokenReviews: {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    plural: 'tokenreviews',
    namespaced: false,
  },
  subjectAccessReviews: {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    plural: 'subjectaccessreviews',
    namespaced: false,
  },
};

/** The resource that an object read from a manifest belongs to. Throws `NotFound` for a kind that isn't in `resources`. */
export function resourceOf(object: KubeObject): ResourceRef {
  for (const ref of Object.values<ResourceRef<unknown>>({ ...resources })) {
    if (ref.apiVersion === object.apiVersion && ref.kind === object.kind) return ref as ResourceRef;
  }
  throw new HyperupError(
    'NotFound',
    `find the resource of ${object.kind ?? 'an object without a kind'} (${object.apiVersion ?? 'no apiVersion'}): hyperup does not know it`,
  );
}

/** The path of a collection, or of one object, or of one object's subresource. Names are escaped. */
export function resourcePath(ref: ResourceRef<unknown>, key: Partial<ObjectKey>, subresource?: string): string {
  const root = ref.apiVersion.includes('/') ? `/apis/${ref.apiVersion}` : `/api/${ref.apiVersion}`;
  const scope = ref.namespaced && key.namespace !== undefined ? `/namespaces/${encodeURIComponent(key.namespace)}` : '';
  const name = key.name === undefined ? '' : `/${encodeURIComponent(key.name)}`;
  if (key.name !== undefined && ref.namespaced && key.namespace === undefined) {
    throw new HyperupError('Internal', `address ${ref.kind} ${key.name}: got no namespace`);
  }
  return `${root}${scope}/${ref.plural}${name}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** An object's own name and namespace. Throws `InvalidConfig` where it has no name. */
export function keyOf(object: KubeObject): ObjectKey {
  const name = object.metadata?.name;
  if (name === undefined || name === '') {
    throw new HyperupError('InvalidConfig', `address ${object.kind ?? 'object'}: got no metadata.name`);
  }
  return { name, namespace: object.metadata?.namespace };
}
