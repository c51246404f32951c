import { managedLabel } from '../../docker/types.js';
import type { V1Container, V1Pod } from '../../kube/pod-objects.js';
import { containerHash } from '../pod/containers.js';
import { podUidOf } from '../pod/pod-names.js';
import type { ContainerId, KubeletIdentity, PodUid } from '../types.js';
import { sandboxContainerName } from './naming.js';

/** Which kubelet a container belongs to: its `KubeletIdentity.instance`. */
export const instanceLabel = 'io.hyperup.kubelet';
/** On all of a pod's containers and sandboxes. */
export const podUidLabel = 'io.kubernetes.pod.uid';

const podNameLabel = 'io.kubernetes.pod.name';
const podNamespaceLabel = 'io.kubernetes.pod.namespace';
const containerNameLabel = 'io.kubernetes.container.name';
const typeLabel = 'io.kubernetes.docker.type';
const sandboxIdLabel = 'io.kubernetes.sandbox.id';
const logPathLabel = 'io.kubernetes.container.logpath';
const hashLabel = 'annotation.io.kubernetes.container.hash';
const restartCountLabel = 'annotation.io.kubernetes.container.restartCount';
const messagePathLabel = 'annotation.io.kubernetes.container.terminationMessagePath';
const messagePolicyLabel = 'annotation.io.kubernetes.container.terminationMessagePolicy';
const gracePeriodLabel = 'annotation.io.kubernetes.pod.terminationGracePeriod';
const imageLabel = 'io.hyperup.image';
const attemptLabel = 'io.hyperup.attempt';
const resolvConfLabel = 'io.hyperup.resolv-conf';

/** What labels tell of one container or sandbox; all that a restarted kubelet has to know is here. */
export interface LabeledContainer {
  readonly type: 'sandbox' | 'container';
  readonly podUid: PodUid;
  readonly podName: string;
  readonly namespace: string;
  readonly containerName: string;
  readonly attempt: number;
  readonly terminationGraceSeconds: number | undefined;
  /** Of a sandbox that the engine hasn't connected: its containers' resolver file. Undefined for all others. */
  readonly resolvConfPath: string | undefined;
  /** The rest is empty for sandboxes. */
  readonly sandboxId: ContainerId;
  readonly hash: string;
  /** As the pod asked for it. */
  readonly image: string;
  readonly logPath: string;
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: string;
}

/** What all containers of this kubelet bear, as a filter for the engine's lists and events. */
export function instanceFilter(identity: Pick<KubeletIdentity, 'instance'>): readonly string[] {
  return [`${managedLabel}=true`, `${instanceLabel}=${identity.instance}`];
}

/**
 * Labels of a sandbox: the pod's own, and upstream's above them (v1.20 `kuberuntime/labels.go`, `dockershim/helpers.go`).
 * Annotations of the pod's stay out: nothing reads them back, and the engine would send them with each relist.
 */
export function makeSandboxLabels(
  pod: V1Pod,
  attempt: number,
  identity: Pick<KubeletIdentity, 'instance'>,
  resolvConfPath?: string,
): Record<string, string> {
  return {
    ...pod.metadata?.labels,
    ...commonLabels(pod, attempt, identity),
    ...(resolvConfPath === undefined ? {} : { [resolvConfLabel]: resolvConfPath }),
    [typeLabel]: 'podsandbox',
    [containerNameLabel]: sandboxContainerName,
  };
}

export interface ContainerLabelOptions {
  readonly pod: V1Pod;
  readonly container: V1Container;
  readonly attempt: number;
  readonly sandboxId: ContainerId;
  /** Of the link that leads to the engine's log. */
  readonly logPath: string;
  readonly identity: Pick<KubeletIdentity, 'instance'>;
}

export function makeContainerLabels(options: ContainerLabelOptions): Record<string, string> {
  const { pod, container, attempt } = options;
  return {
    ...commonLabels(pod, attempt, options.identity),
    [typeLabel]: 'container',
    [containerNameLabel]: container.name,
    [sandboxIdLabel]: options.sandboxId,
    [logPathLabel]: options.logPath,
    [hashLabel]: containerHash(container),
    [restartCountLabel]: String(attempt),
    [messagePathLabel]: container.terminationMessagePath ?? '/dev/termination-log',
    [messagePolicyLabel]: container.terminationMessagePolicy ?? 'File',
    [imageLabel]: container.image ?? '',
  };
}

function commonLabels(
  pod: V1Pod,
  attempt: number,
  identity: Pick<KubeletIdentity, 'instance'>,
): Record<string, string> {
  const grace = pod.spec?.terminationGracePeriodSeconds;
  return {
    [managedLabel]: 'true',
    [instanceLabel]: identity.instance,
    [podNameLabel]: pod.metadata?.name ?? '',
    [podNamespaceLabel]: pod.metadata?.namespace ?? '',
    [podUidLabel]: podUidOf(pod),
    [attemptLabel]: String(attempt),
    ...(grace === undefined ? {} : { [gracePeriodLabel]: String(grace) }),
  };
}

/** The reverse of both; undefined for what isn't a pod's. */
export function parseLabels(labels: Readonly<Record<string, string>>): LabeledContainer | undefined {
  const type = labels[typeLabel];
  const uid = labels[podUidLabel];
  if ((type !== 'podsandbox' && type !== 'container') || !uid) return undefined;
  return {
    type: type === 'podsandbox' ? 'sandbox' : 'container',
    podUid: uid,
    podName: labels[podNameLabel] ?? '',
    namespace: labels[podNamespaceLabel] ?? '',
    containerName: labels[containerNameLabel] ?? '',
    attempt: wholeNumber(labels[attemptLabel] ?? labels[restartCountLabel]) ?? 0,
    terminationGraceSeconds: wholeNumber(labels[gracePeriodLabel]),
    resolvConfPath: type === 'podsandbox' ? labels[resolvConfLabel] : undefined,
    sandboxId: labels[sandboxIdLabel] ?? '',
    hash: labels[hashLabel] ?? '',
    image: labels[imageLabel] ?? '',
    logPath: labels[logPathLabel] ?? '',
    terminationMessagePath: labels[messagePathLabel] ?? '',
    terminationMessagePolicy: labels[messagePolicyLabel] ?? '',
  };
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
