import t from 'tap';
import type { KubeletChoice } from '../../../src/config/types.js';
import type { ClusterRecord } from '../../../src/provision/cluster-record.js';
import { recordedRelease } from '../../../src/provision/cluster-record.js';
import { plannedContainer } from '../../../src/provision/node-agent.js';
import { type KubeletPlan, planKubelet } from '../../../src/provision/plan-kubelet.js';
import { smokePod } from '../../../src/provision/smoke.js';
import { releaseFor } from '../../../src/release/release-for.js';
import { makeCluster } from '../../builders/cluster.js';
import { makeNodeAgentInputs } from '../../builders/inputs.js';

interface Case {
  readonly name: string;
  readonly choice: KubeletChoice;
  readonly version?: string;
  readonly record?: Pick<ClusterRecord, 'kubelet' | 'layout'>;
  readonly want: Omit<KubeletPlan, 'reason'>;
  readonly reason?: RegExp;
}

const cases: readonly Case[] = [
  { name: 'auto', choice: 'auto', want: { kubelet: 'hyperkube', layouts: ['hyperkube', 'component'] } },
  { name: 'hyperkube', choice: 'hyperkube', want: { kubelet: 'hyperkube', layouts: ['hyperkube'] } },
  { name: 'builtin', choice: 'builtin', want: { kubelet: 'builtin', layouts: ['hyperkube', 'component'] } },
  {
    name: 'auto, a release without dockershim',
    choice: 'auto',
    version: 'v1.24.3',
    want: { kubelet: 'builtin', layouts: ['component'] },
    reason: /v1\.24\.3 can't drive Docker/,
  },
  {
    name: 'builtin, a release without dockershim: it was asked for, so there is nothing to tell',
    choice: 'builtin',
    version: 'v1.24.3',
    want: { kubelet: 'builtin', layouts: ['component'] },
  },
  {
    name: 'auto, once the Go kubelet gave way',
    choice: 'auto',
    record: { kubelet: 'builtin', layout: 'hyperkube' },
    want: { kubelet: 'builtin', layouts: ['hyperkube', 'component'] },
  },
  {
    name: 'auto, on a cluster without hyperkube',
    choice: 'auto',
    record: { kubelet: 'builtin', layout: 'component' },
    want: { kubelet: 'builtin', layouts: ['component', 'hyperkube'] },
  },
  {
    name: 'auto, on a cluster of 0.1.0',
    choice: 'auto',
    record: { kubelet: 'hyperkube' },
    want: { kubelet: 'hyperkube', layouts: ['hyperkube', 'component'] },
  },
];

for (const { name, choice, version = 'v1.20.2', record, want, reason } of cases) {
  t.test(name, async (t) => {
    const plan = planKubelet(choice, releaseFor(version), record);
    t.match(plan, want);
    t.equal(plan.layouts.length, want.layouts.length);
    if (reason) t.match(plan.reason, reason);
    else t.equal(plan.reason, undefined);
  });
}

t.test('the images of a cluster that is there', async (t) => {
  const cluster = makeCluster();
  t.equal(recordedRelease({ cluster }).layout, 'hyperkube', 'records of 0.1.0 say nothing of it');
  t.equal(recordedRelease({ cluster, layout: 'component' }).layout, 'component');
});

t.test('the container of either kubelet', async (t) => {
  const inputs = makeNodeAgentInputs('v1.20.2');
  const names = ['hyperkube', 'builtin'] as const;
  const images = names.map((kubelet) => plannedContainer(kubelet, inputs, { packageVersion: '1.2.3' }).image);
  t.same(images, ['k8s.gcr.io/hyperkube:v1.20.2', 'hyperup/kubelet:1.2.3']);
});

t.test('what the smoke pod runs', async (t) => {
  const containerOf = (layout: 'hyperkube' | 'component') =>
    smokePod('smoke-1', { release: releaseFor('v1.20.2', layout), kubeletImage: 'hyperup/kubelet:1.2.3' }).spec
      ?.containers[0];
  t.match(containerOf('hyperkube'), {
    image: 'k8s.gcr.io/hyperkube:v1.20.2',
    command: ['/hyperkube', 'kubectl', 'proxy'],
  });
  const node = containerOf('component');
  t.match(node, { image: 'hyperup/kubelet:1.2.3', command: ['/usr/local/bin/node', '-e'] });
  const script = node?.command?.[2] ?? '';
  t.notMatch(script, '$(', 'nothing that a kubelet would expand');
  t.doesNotThrow(() => new Function('require', script), 'it is JavaScript');
  t.match(script, 'listen(8080)');
});
