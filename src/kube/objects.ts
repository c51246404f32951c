/**
 * The part of the API's objects that hyperup reads or writes, spelled as upstream spells it (Kubernetes v1.20
 * `staging/src/k8s.io/api`). Times are RFC 3339 text, quantities text.
 */

export interface V1OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface V1ObjectMeta {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string | null;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly V1OwnerReference[];
  readonly finalizers?: readonly string[];
}

/** What every API object has. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: V1ObjectMeta;
}

export interface V1ListMeta {
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** One page of a list. Items lack apiVersion and kind, as the API server sends them. */
export interface KubeList<T> {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: V1ListMeta;
  readonly items: readonly T[];
}

export interface V1StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** The API server's way to say why a call failed. */
export interface V1Status {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly uid?: string;
    readonly causes?: readonly V1StatusCause[];
    readonly retryAfterSeconds?: number;
  };
}

export interface V1LabelSelectorRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

export interface V1LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly V1LabelSelectorRequirement[];
}

export interface V1ObjectReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly fieldPath?: string;
}

export interface V1LocalObjectReference {
  readonly name?: string;
}

/** A port by number or by name. */
export type IntOrString = number | string;

export interface V1Namespace extends KubeObject {
  readonly status?: { readonly phase?: 'Active' | 'Terminating' };
}

export interface V1ConfigMap extends KubeObject {
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

export interface V1Secret extends KubeObject {
  readonly immutable?: boolean;
  readonly type?: string;
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
}

export interface V1ServiceAccount extends KubeObject {
  readonly secrets?: readonly V1ObjectReference[];
  readonly imagePullSecrets?: readonly V1LocalObjectReference[];
  readonly automountServiceAccountToken?: boolean;
}

export interface V1ServicePort {
  readonly name?: string;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  readonly targetPort?: IntOrString;
  readonly nodePort?: number;
}

export interface V1ServiceSpec {
  readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly clusterIP?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly V1ServicePort[];
}

export interface V1Service extends KubeObject {
  readonly spec?: V1ServiceSpec;
}

export interface V1EndpointAddress {
  readonly ip: string;
  readonly nodeName?: string;
  readonly targetRef?: V1ObjectReference;
}

export interface V1EndpointSubset {
  readonly addresses?: readonly V1EndpointAddress[];
  readonly notReadyAddresses?: readonly V1EndpointAddress[];
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[];
}

export interface V1Endpoints extends KubeObject {
  readonly subsets?: readonly V1EndpointSubset[];
}

export interface V1EventSource {
  readonly component?: string;
  readonly host?: string;
}

/** The core/v1 form, which `kubectl get events` and `describe` show. */
export interface V1Event extends KubeObject {
  readonly involvedObject: V1ObjectReference;
  readonly reason?: string;
  readonly message?: string;
  readonly source?: V1EventSource;
  readonly firstTimestamp?: string | null;
  readonly lastTimestamp?: string | null;
  readonly count?: number;
  readonly type?: 'Normal' | 'Warning';
  readonly reportingComponent?: string;
  readonly reportingInstance?: string;
}

export interface V1LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  /** RFC 3339 with microseconds. */
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export interface V1Lease extends KubeObject {
  readonly spec?: V1LeaseSpec;
}

/** `/version`. */
export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly platform: string;
}
