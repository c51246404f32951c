import type { IntOrString, KubeObject, V1LocalObjectReference } from './objects.js';

export interface V1ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly hostPort?: number;
  readonly hostIP?: string;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
}

export interface V1KeySelector {
  readonly name?: string;
  readonly key: string;
  readonly optional?: boolean;
}

export interface V1ObjectFieldSelector {
  readonly apiVersion?: string;
  readonly fieldPath: string;
}

export interface V1ResourceFieldSelector {
  readonly containerName?: string;
  readonly resource: string;
  readonly divisor?: string;
}

export interface V1EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly fieldRef?: V1ObjectFieldSelector;
    readonly resourceFieldRef?: V1ResourceFieldSelector;
    readonly configMapKeyRef?: V1KeySelector;
    readonly secretKeyRef?: V1KeySelector;
  };
}

export interface V1EnvFromSource {
  readonly prefix?: string;
  readonly configMapRef?: { readonly name?: string; readonly optional?: boolean };
  readonly secretRef?: { readonly name?: string; readonly optional?: boolean };
}

export interface V1ResourceRequirements {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

export interface V1VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
  readonly subPath?: string;
  readonly subPathExpr?: string;
  readonly mountPropagation?: 'None' | 'HostToContainer' | 'Bidirectional';
}

export interface V1HttpGetAction {
  readonly host?: string;
  readonly path?: string;
  readonly port: IntOrString;
  readonly scheme?: 'HTTP' | 'HTTPS';
  readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
}

export interface V1Handler {
  readonly exec?: { readonly command?: readonly string[] };
  readonly httpGet?: V1HttpGetAction;
  readonly tcpSocket?: { readonly host?: string; readonly port: IntOrString };
  /** Probes only, from 1.23. */
  readonly grpc?: { readonly port: number; readonly service?: string };
  /** Hooks only, from 1.29. */
  readonly sleep?: { readonly seconds: number };
}

export interface V1Probe extends V1Handler {
  readonly initialDelaySeconds?: number;
  readonly timeoutSeconds?: number;
  readonly periodSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
  readonly terminationGracePeriodSeconds?: number;
}

export interface V1Capabilities {
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
}

export interface V1SeccompProfile {
  readonly type: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostProfile?: string;
}

export interface V1SeLinuxOptions {
  readonly user?: string;
  readonly role?: string;
  readonly type?: string;
  readonly level?: string;
}

export interface V1SecurityContext {
  readonly privileged?: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: V1Capabilities;
  readonly procMount?: string;
  readonly seccompProfile?: V1SeccompProfile;
  readonly appArmorProfile?: V1SeccompProfile;
  readonly seLinuxOptions?: V1SeLinuxOptions;
}

export interface V1Container {
  readonly name: string;
  readonly image?: string;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly ports?: readonly V1ContainerPort[];
  readonly env?: readonly V1EnvVar[];
  readonly envFrom?: readonly V1EnvFromSource[];
  readonly resources?: V1ResourceRequirements;
  readonly volumeMounts?: readonly V1VolumeMount[];
  readonly livenessProbe?: V1Probe;
  readonly readinessProbe?: V1Probe;
  readonly startupProbe?: V1Probe;
  readonly lifecycle?: { readonly postStart?: V1Handler; readonly preStop?: V1Handler };
  readonly securityContext?: V1SecurityContext;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  readonly terminationMessagePath?: string;
  readonly terminationMessagePolicy?: 'File' | 'FallbackToLogsOnError';
  /** `Always` on an init container makes it a sidecar, from 1.28. */
  readonly restartPolicy?: 'Always';
  readonly volumeDevices?: readonly { readonly name: string; readonly devicePath: string }[];
  readonly resizePolicy?: readonly { readonly resourceName: string; readonly restartPolicy: string }[];
}

/** Added to a running pod by its `ephemeralcontainers` subresource. */
export interface V1EphemeralContainer extends V1Container {
  readonly targetContainerName?: string;
}

export interface V1KeyToPath {
  readonly key: string;
  readonly path: string;
  readonly mode?: number;
}

export interface V1DownwardApiVolumeFile {
  readonly path: string;
  readonly fieldRef?: V1ObjectFieldSelector;
  readonly resourceFieldRef?: V1ResourceFieldSelector;
  readonly mode?: number;
}

export interface V1VolumeProjection {
  readonly secret?: { readonly name?: string; readonly items?: readonly V1KeyToPath[]; readonly optional?: boolean };
  readonly configMap?: { readonly name?: string; readonly items?: readonly V1KeyToPath[]; readonly optional?: boolean };
  readonly downwardAPI?: { readonly items?: readonly V1DownwardApiVolumeFile[] };
  readonly serviceAccountToken?: {
    readonly audience?: string;
    readonly expirationSeconds?: number;
    readonly path: string;
  };
}

/** Exactly one of the sources is set. */
export interface V1Volume {
  readonly name: string;
  readonly hostPath?: { readonly path: string; readonly type?: string };
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string };
  readonly configMap?: {
    readonly name?: string;
    readonly items?: readonly V1KeyToPath[];
    readonly defaultMode?: number;
    readonly optional?: boolean;
  };
  readonly secret?: {
    readonly secretName?: string;
    readonly items?: readonly V1KeyToPath[];
    readonly defaultMode?: number;
    readonly optional?: boolean;
  };
  readonly downwardAPI?: { readonly items?: readonly V1DownwardApiVolumeFile[]; readonly defaultMode?: number };
  readonly projected?: { readonly sources?: readonly V1VolumeProjection[]; readonly defaultMode?: number };
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
  readonly ephemeral?: object;
  readonly nfs?: V1NfsVolumeSource;
  readonly csi?: object;
  readonly flexVolume?: object;
  readonly gitRepo?: object;
  readonly iscsi?: object;
  readonly glusterfs?: object;
  readonly rbd?: object;
  readonly cephfs?: object;
}

export interface V1NfsVolumeSource {
  readonly server: string;
  readonly path: string;
  readonly readOnly?: boolean;
}

export interface V1Toleration {
  readonly key?: string;
  readonly operator?: 'Exists' | 'Equal';
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}

export interface V1PodSecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly fsGroup?: number;
  readonly supplementalGroups?: readonly number[];
  readonly sysctls?: readonly { readonly name: string; readonly value: string }[];
  readonly fsGroupChangePolicy?: 'OnRootMismatch' | 'Always';
  readonly seccompProfile?: V1SeccompProfile;
  readonly appArmorProfile?: V1SeccompProfile;
  readonly seLinuxOptions?: V1SeLinuxOptions;
}

export interface V1NodeSelectorRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values?: readonly string[];
}

export interface V1NodeSelectorTerm {
  readonly matchExpressions?: readonly V1NodeSelectorRequirement[];
  readonly matchFields?: readonly V1NodeSelectorRequirement[];
}

export interface V1Affinity {
  readonly nodeAffinity?: {
    readonly requiredDuringSchedulingIgnoredDuringExecution?: {
      readonly nodeSelectorTerms: readonly V1NodeSelectorTerm[];
    };
  };
}

export interface V1PodSpec {
  readonly containers: readonly V1Container[];
  readonly initContainers?: readonly V1Container[];
  readonly ephemeralContainers?: readonly V1EphemeralContainer[];
  readonly volumes?: readonly V1Volume[];
  readonly restartPolicy?: 'Always' | 'OnFailure' | 'Never';
  readonly terminationGracePeriodSeconds?: number;
  readonly activeDeadlineSeconds?: number;
  readonly dnsPolicy?: 'ClusterFirst' | 'ClusterFirstWithHostNet' | 'Default' | 'None';
  readonly dnsConfig?: {
    readonly nameservers?: readonly string[];
    readonly searches?: readonly string[];
    readonly options?: readonly { readonly name?: string; readonly value?: string }[];
  };
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly nodeName?: string;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly shareProcessNamespace?: boolean;
  readonly securityContext?: V1PodSecurityContext;
  readonly imagePullSecrets?: readonly V1LocalObjectReference[];
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly setHostnameAsFQDN?: boolean;
  readonly tolerations?: readonly V1Toleration[];
  readonly hostAliases?: readonly { readonly ip?: string; readonly hostnames?: readonly string[] }[];
  readonly priorityClassName?: string;
  readonly priority?: number;
  readonly enableServiceLinks?: boolean;
  readonly affinity?: V1Affinity;
  readonly runtimeClassName?: string;
  readonly overhead?: Readonly<Record<string, string>>;
  readonly readinessGates?: readonly { readonly conditionType: string }[];
  readonly schedulerName?: string;
  readonly os?: { readonly name: string };
}

export interface V1ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: {
    readonly exitCode: number;
    readonly signal?: number;
    readonly reason?: string;
    readonly message?: string;
    readonly startedAt?: string;
    readonly finishedAt?: string;
    readonly containerID?: string;
  };
}

export interface V1ContainerStatus {
  readonly name: string;
  readonly state?: V1ContainerState;
  readonly lastState?: V1ContainerState;
  readonly ready: boolean;
  readonly started?: boolean;
  readonly restartCount: number;
  readonly image: string;
  readonly imageID: string;
  readonly containerID?: string;
  /** From 1.33, as the container has them. */
  readonly resources?: V1ResourceRequirements;
  readonly allocatedResources?: Readonly<Record<string, string>>;
}

export interface V1PodCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly lastProbeTime?: string | null;
  readonly lastTransitionTime?: string;
  readonly reason?: string;
  readonly message?: string;
  /** From 1.33. */
  readonly observedGeneration?: number;
}

export interface V1PodStatus {
  readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  readonly conditions?: readonly V1PodCondition[];
  readonly message?: string;
  readonly reason?: string;
  readonly hostIP?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip?: string }[];
  readonly startTime?: string;
  readonly initContainerStatuses?: readonly V1ContainerStatus[];
  readonly containerStatuses?: readonly V1ContainerStatus[];
  readonly ephemeralContainerStatuses?: readonly V1ContainerStatus[];
  /** From 1.29. */
  readonly hostIPs?: readonly { readonly ip?: string }[];
  readonly nominatedNodeName?: string;
  /** From 1.33. */
  readonly observedGeneration?: number;
  readonly qosClass?: 'Guaranteed' | 'Burstable' | 'BestEffort';
}

export interface V1Pod extends KubeObject {
  readonly spec?: V1PodSpec;
  readonly status?: V1PodStatus;
}

export interface V1PodTemplateSpec {
  readonly metadata?: KubeObject['metadata'];
  readonly spec?: V1PodSpec;
}
