import t from 'tap';
import { createPodEvents } from '../../../../src/kubelet/status/pod-events.js';
import type { ContainerKind } from '../../../../src/kubelet/types.js';

t.test('what events are about', async (t) => {
  const recorded: unknown[][] = [];
  const events = createPodEvents({ recorder: { record: (...event) => recorded.push(event) }, nodeName: 'node-1' });
  const pod = { metadata: { namespace: 'shop', name: 'web', uid: 'u1', resourceVersion: '7', labels: { a: 'b' } } };
  const about = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web', uid: 'u1', resourceVersion: '7' };
  events.pod(pod, 'Warning', 'FailedMount', 'no');
  t.strictSame(recorded.pop(), [about, 'Warning', 'FailedMount', 'no']);
  const paths: [ContainerKind, string][] = [
    ['app', 'spec.containers{c}'],
    ['init', 'spec.initContainers{c}'],
    ['sidecar', 'spec.initContainers{c}'],
    ['ephemeral', 'spec.ephemeralContainers{c}'],
  ];
  for (const [kind, fieldPath] of paths) {
    events.pod(pod, 'Normal', 'Started', 'yes', { name: 'c', kind });
    t.strictSame(recorded.pop(), [{ ...about, fieldPath }, 'Normal', 'Started', 'yes']);
  }
  events.node('Normal', 'Starting', 'Starting kubelet.');
  t.strictSame(recorded.pop(), [
    { kind: 'Node', name: 'node-1', uid: 'node-1' },
    'Normal',
    'Starting',
    'Starting kubelet.',
  ]);
});
