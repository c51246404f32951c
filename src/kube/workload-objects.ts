import type { IntOrString, KubeObject, V1LabelSelector } from './objects.js';
import type { V1PodTemplateSpec } from './pod-objects.js';

export interface V1ReplicationController extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly selector?: Readonly<Record<string, string>>;
    readonly template?: V1PodTemplateSpec;
  };
  readonly status?: { readonly replicas?: number; readonly readyReplicas?: number };
}

export interface V1Deployment extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly selector: V1LabelSelector;
    readonly template: V1PodTemplateSpec;
    readonly strategy?: {
      readonly type?: string;
      readonly rollingUpdate?: { readonly maxSurge?: IntOrString; readonly maxUnavailable?: IntOrString };
    };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
  };
}

export interface V1DaemonSet extends KubeObject {
  readonly spec?: {
    readonly selector: V1LabelSelector;
    readonly template: V1PodTemplateSpec;
    readonly updateStrategy?: { readonly type?: string };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly desiredNumberScheduled?: number;
    readonly numberReady?: number;
    readonly updatedNumberScheduled?: number;
  };
}

export interface V1Job extends KubeObject {
  readonly spec?: {
    readonly parallelism?: number;
    readonly completions?: number;
    readonly backoffLimit?: number;
    readonly template: V1PodTemplateSpec;
  };
  readonly status?: { readonly active?: number; readonly succeeded?: number; readonly failed?: number };
}

export interface V1PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface V1Subject {
  readonly kind: string;
  readonly apiGroup?: string;
  readonly name: string;
  readonly namespace?: string;
}

export interface V1RoleRef {
  readonly apiGroup: string;
  readonly kind: string;
  readonly name: string;
}

/** Also the shape of a namespaced Role. */
export interface V1ClusterRole extends KubeObject {
  readonly rules?: readonly V1PolicyRule[];
}

/** Also the shape of a namespaced RoleBinding. */
export interface V1ClusterRoleBinding extends KubeObject {
  readonly subjects?: readonly V1Subject[];
  readonly roleRef: V1RoleRef;
}
