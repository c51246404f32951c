import type { EventRecorder } from '../../kube/event-recorder.js';
import type { V1ObjectReference } from '../../kube/objects.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { ContainerKind, ContainerOfPod, PodEvents } from '../types.js';

export interface PodEventsOptions {
  /** With source `{component: 'kubelet', host: <node>}`. */
  readonly recorder: Pick<EventRecorder, 'record'>;
  readonly nodeName: string;
}

const listOfKind: Readonly<Record<ContainerKind, string>> = {
  init: 'initContainers',
  sidecar: 'initContainers',
  app: 'containers',
  ephemeral: 'ephemeralContainers',
};

/** The kubelet's events, on the objects that `kubectl describe` looks for (v1.20 `container/ref.go`, `kubelet.go`). */
export function createPodEvents(options: PodEventsOptions): PodEvents {
  const { recorder, nodeName } = options;
  // Upstream gives the node's name for its UID, and so `kubectl describe node` looks for it.
  const node: V1ObjectReference = { kind: 'Node', name: nodeName, uid: nodeName };
  return {
    pod(pod, type, reason, message, container) {
      recorder.record(podReference(pod, container), type, reason, message);
    },
    node(type, reason, message) {
      recorder.record(node, type, reason, message);
    },
  };
}

function podReference({ metadata = {} }: V1Pod, container: ContainerOfPod | undefined): V1ObjectReference {
  const { namespace, name, uid, resourceVersion } = metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(container === undefined ? {} : { fieldPath: `spec.${listOfKind[container.kind]}{${container.name}}` }),
  };
}
