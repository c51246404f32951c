import type { KubeObject } from './objects.js';
import type { V1NfsVolumeSource, V1NodeSelectorTerm } from './pod-objects.js';

/** What only a kubelet reads or writes (Kubernetes v1.20 `staging/src/k8s.io/api`). */

export interface V1PersistentVolumeClaim extends KubeObject {
  readonly spec?: {
    readonly volumeName?: string;
    readonly volumeMode?: 'Filesystem' | 'Block';
    readonly accessModes?: readonly string[];
  };
  readonly status?: { readonly phase?: 'Pending' | 'Bound' | 'Lost' };
}

export interface V1PersistentVolume extends KubeObject {
  readonly spec?: {
    readonly hostPath?: { readonly path: string; readonly type?: string };
    readonly local?: { readonly path: string; readonly fsType?: string };
    readonly nfs?: V1NfsVolumeSource;
    readonly claimRef?: { readonly namespace?: string; readonly name?: string; readonly uid?: string };
    readonly mountOptions?: readonly string[];
    readonly volumeMode?: 'Filesystem' | 'Block';
    readonly nodeAffinity?: { readonly required?: { readonly nodeSelectorTerms: readonly V1NodeSelectorTerm[] } };
  };
  readonly status?: { readonly phase?: string };
}

export interface V1CertificateSigningRequest extends KubeObject {
  readonly spec: {
    /** PEM, in base64. */
    readonly request: string;
    readonly signerName: string;
    readonly usages: readonly string[];
  };
  readonly status?: {
    /** PEM, in base64. */
    readonly certificate?: string;
    readonly conditions?: readonly { readonly type: string; readonly reason?: string; readonly message?: string }[];
  };
}

export interface V1RuntimeClass extends KubeObject {
  readonly handler: string;
}

export interface V1UserInfo {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface V1TokenReview extends KubeObject {
  readonly spec: { readonly token?: string; readonly audiences?: readonly string[] };
  readonly status?: { readonly authenticated?: boolean; readonly user?: V1UserInfo; readonly error?: string };
}

export interface V1SubjectAccessReview extends KubeObject {
  readonly spec: {
    readonly user?: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
    readonly resourceAttributes?: {
      readonly verb: string;
      readonly group?: string;
      readonly version?: string;
      readonly resource: string;
      readonly subresource?: string;
      readonly name?: string;
    };
  };
  readonly status?: { readonly allowed?: boolean; readonly denied?: boolean; readonly reason?: string };
}
