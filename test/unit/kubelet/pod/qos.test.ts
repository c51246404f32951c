import t from 'tap';
import type { V1Container, V1Pod } from '../../../../src/kube/pod-objects.js';
import { podLimits, podRequests, qosClassOf } from '../../../../src/kubelet/pod/qos.js';

type Texts = Readonly<Record<string, string>>;

function container(requests?: Texts, limits?: Texts, more: Partial<V1Container> = {}): V1Container {
  return { name: 'c', resources: { ...(requests ? { requests } : {}), ...(limits ? { limits } : {}) }, ...more };
}

const pod = (
  containers: readonly V1Container[],
  initContainers: readonly V1Container[] = [],
  overhead?: Texts,
): V1Pod => ({
  spec: { containers, initContainers, ...(overhead ? { overhead } : {}) },
});

t.test('the class follows cpu and memory', async (t) => {
  const both = { cpu: '100m', memory: '1Gi' };
  const cases: [name: string, pod: V1Pod, want: string][] = [
    ['nothing asked for', pod([container()]), 'BestEffort'],
    ['zeros are nothing', pod([container({ cpu: '0' }, { memory: '0' })]), 'BestEffort'],
    ['other resources are nothing', pod([container({ 'ephemeral-storage': '1Gi' })]), 'BestEffort'],
    ['equal', pod([container(both, both)]), 'Guaranteed'],
    ['equal in another notation', pod([container({ cpu: '0.1', memory: '1024Mi' }, both)]), 'Guaranteed'],
    ['limits alone are requests too', pod([container(undefined, both)]), 'Guaranteed'],
    ['requests alone', pod([container(both)]), 'Burstable'],
    ['limits above requests', pod([container({ cpu: '50m', memory: '1Gi' }, both)]), 'Burstable'],
    ['memory alone', pod([container({ memory: '1Gi' }, { memory: '1Gi' })]), 'Burstable'],
    ['one of two', pod([container(both, both), container()]), 'Burstable'],
    ['an init container without', pod([container(both, both)], [container()]), 'Burstable'],
    ['an init container alone', pod([container()], [container({ cpu: '1' })]), 'Burstable'],
  ];
  for (const [name, given, want] of cases) t.equal(qosClassOf(given), want, name);
});

t.test('sums are exact, init containers count by the greatest', async (t) => {
  t.same(podRequests(pod([container({ cpu: '100m' }), container({ cpu: '200m', memory: '1Gi' })])), {
    cpu: 0.3,
    memory: 1073741824,
  });
  t.same(podRequests(pod([container({ cpu: '1' })], [container({ cpu: '3' }), container({ cpu: '2' })])), { cpu: 3 });
  t.same(
    podRequests(
      pod(
        [container({ cpu: '1' })],
        [container({ cpu: '1' }, undefined, { restartPolicy: 'Always' }), container({ cpu: '4' })],
      ),
    ),
    { cpu: 5 },
    'a sidecar runs beside what comes after it',
  );
});

t.test('overhead is asked for, and limited where there is a limit', async (t) => {
  const given = pod([container({ cpu: '1' }, { cpu: '2' })], [], { cpu: '250m', memory: '64Mi' });
  t.same(podRequests(given), { cpu: 1.25, memory: 67108864 });
  t.same(podLimits(given), { cpu: 2.25 });
});
