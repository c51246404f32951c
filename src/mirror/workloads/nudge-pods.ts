import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { KubeClient } from '../../kube/kube-client-types.js';
import { resources } from '../../kube/resource-ref.js';
import type { PodKey } from './pod-waits.js';

const annotation = 'io.hyperup.image-arrived';

/**
 * Has the kubelet look at pods now. It looks whether an image is there before it minds its back-off, but does so only
 * when it next looks at the pod, 10 to 15 seconds later (v1.20 `pkg/kubelet/pod_workers.go`, `backOffPeriod`), or at once
 * when the pod's annotations change: one is put on and taken away again. Never rejects: without it all only takes longer.
 */
export async function nudgePods(
  kube: Pick<KubeClient, 'patch'>,
  pods: readonly PodKey[],
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  for (const { namespace, name } of pods) {
    const annotate = (value: string | null) =>
      kube.patch(
        resources.pods,
        { namespace, name },
        { type: 'merge', body: { metadata: { annotations: { [annotation]: value } } } },
        { signal },
      );
    try {
      await annotate('now');
      await annotate(null);
    } catch (error) {
      if (signal.aborted) return;
      logger.debug('Could not have the kubelet look at a pod at once', {
        pod: `${namespace}/${name}`,
        err: messageOf(error),
      });
    }
  }
}
