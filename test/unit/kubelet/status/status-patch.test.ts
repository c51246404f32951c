import t from 'tap';
import type { V1ContainerStatus, V1PodStatus } from '../../../../src/kube/pod-objects.js';
import { statusPatch } from '../../../../src/kubelet/status/status-patch.js';

const app: V1ContainerStatus = {
  name: 'app',
  state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
  ready: true,
  started: true,
  restartCount: 0,
  image: 'app',
  imageID: '',
};
const ready = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' } as const;

const cases: [string, V1PodStatus | undefined, V1PodStatus, object | undefined][] = [
  [
    'what the server makes of it means the same',
    {
      phase: 'Running',
      conditions: [{ ...ready, lastProbeTime: null }],
      // As Go writes it.
      containerStatuses: [{ ...app, lastState: {}, started: true }],
      nominatedNodeName: 'n',
    },
    {
      phase: 'Running',
      conditions: [ready],
      containerStatuses: [{ ...app, state: { running: { startedAt: '2026-01-01T00:00:00.123Z' } } }],
    },
    undefined,
  ],
  [
    'only what differs is said',
    { phase: 'Pending', hostIP: '1.2.3.4', conditions: [ready] },
    { phase: 'Running', hostIP: '1.2.3.4', conditions: [ready], containerStatuses: [app] },
    { phase: 'Running', containerStatuses: [app] },
  ],
  [
    'a change inside a container replaces the list',
    { containerStatuses: [app] },
    { containerStatuses: [{ ...app, restartCount: 1 }] },
    { containerStatuses: [{ ...app, restartCount: 1 }] },
  ],
  [
    'what is gone is null, where the server has it',
    { reason: 'Evicted', podIP: '1.1.1.1' },
    {},
    { reason: null, podIP: null },
  ],
  [
    'another address: the old one is named, the order too',
    { podIP: '1.1.1.1', podIPs: [{ ip: '1.1.1.1' }] },
    { podIP: '2.2.2.2', podIPs: [{ ip: '2.2.2.2' }] },
    {
      podIP: '2.2.2.2',
      podIPs: [{ ip: '2.2.2.2' }, { $patch: 'delete', ip: '1.1.1.1' }],
      '$setElementOrder/podIPs': [{ ip: '2.2.2.2' }],
    },
  ],
  ['host addresses that we do not say stay', { hostIPs: [{ ip: '1.1.1.1' }], observedGeneration: 2 }, {}, undefined],
  [
    'a condition that changes back loses its reason',
    { conditions: [{ ...ready, status: 'False', reason: 'ContainersNotReady', message: 'no' }] },
    { conditions: [ready] },
    { conditions: [{ ...ready, reason: null, message: null }] },
  ],
  [
    'a transition time alone is no difference',
    { conditions: [{ ...ready, lastTransitionTime: '2025-01-01T00:00:00Z' }] },
    { conditions: [ready] },
    undefined,
  ],
  [
    'conditions of others are neither written nor deleted',
    { conditions: [ready, { type: 'x/y', status: 'True' }] },
    { conditions: [ready, { type: 'x/y', status: 'False' }, { type: 'x/z', status: 'True' }] },
    undefined,
  ],
  [
    'a disruption is announced',
    { conditions: [ready] },
    { conditions: [ready, { type: 'DisruptionTarget', status: 'True' }] },
    { conditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  ],
  [
    'a condition of ours that is gone',
    { conditions: [ready, { type: 'PodReadyToStartContainers', status: 'True' }] },
    { conditions: [ready] },
    { conditions: [{ $patch: 'delete', type: 'PodReadyToStartContainers' }] },
  ],
  [
    'a status without conditions says nothing about them',
    { conditions: [ready], phase: 'Pending' },
    { phase: 'Failed', reason: 'OutOfcpu' },
    { phase: 'Failed', reason: 'OutOfcpu' },
  ],
];

for (const [name, server, wanted, patch] of cases) {
  t.test(name, async (t) => t.strictSame(statusPatch(server, wanted), patch));
}
