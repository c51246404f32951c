import t from 'tap';
import type { V1Node } from '../../../../src/kube/node-objects.js';
import type { V1NodeSelectorTerm, V1PodSpec } from '../../../../src/kube/pod-objects.js';
import { matchesNode } from '../../../../src/kubelet/admission/node-selection.js';

const node: V1Node = { metadata: { name: 'node-1', labels: { disk: 'ssd', cores: '8', empty: '' } } };

const matches = (spec: Partial<V1PodSpec>) => matchesNode({ spec: { containers: [], ...spec } }, node);
const affinity = (...nodeSelectorTerms: readonly V1NodeSelectorTerm[]) =>
  matches({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  });

t.test('nodeSelector', async (t) => {
  t.ok(matches({}));
  t.ok(matches({ nodeSelector: { disk: 'ssd', empty: '' } }));
  t.notOk(matches({ nodeSelector: { disk: 'ssd', cores: '4' } }));
  t.notOk(matches({ nodeSelector: { absent: '' } }));
});

t.test('requirements', async (t) => {
  const cases: readonly (readonly [string, string, readonly string[] | undefined, boolean])[] = [
    ['disk', 'In', ['hdd', 'ssd'], true],
    ['disk', 'In', ['hdd'], false],
    ['absent', 'In', ['x'], false],
    ['disk', 'NotIn', ['hdd'], true],
    ['disk', 'NotIn', ['ssd'], false],
    ['absent', 'NotIn', ['x'], true],
    ['empty', 'Exists', undefined, true],
    ['absent', 'Exists', undefined, false],
    ['absent', 'DoesNotExist', undefined, true],
    ['disk', 'DoesNotExist', undefined, false],
    ['cores', 'Gt', ['7'], true],
    ['cores', 'Gt', ['8'], false],
    ['cores', 'Lt', ['9'], true],
    ['cores', 'Lt', ['8'], false],
    ['disk', 'Gt', ['1'], false],
    ['cores', 'Gt', ['x'], false],
    ['absent', 'Lt', ['9'], false],
    ['disk', 'Like', ['s*'], false],
  ];
  for (const [key, operator, values, want] of cases) {
    const requirement = { key, operator: operator as 'In', ...(values ? { values } : {}) };
    t.equal(affinity({ matchExpressions: [requirement] }), want, `${key} ${operator} ${values}`);
  }
});

t.test('terms: one is enough, all of it counts', async (t) => {
  const [good, bad] = [{ key: 'disk', operator: 'Exists' } as const, { key: 'absent', operator: 'Exists' } as const];
  t.ok(affinity({ matchExpressions: [bad] }, { matchExpressions: [good] }));
  t.notOk(affinity({ matchExpressions: [good, bad] }));
  t.notOk(affinity({}), 'an empty one is none');
  t.notOk(affinity(), 'no terms');
  const name = (value: string) => ({ key: 'metadata.name', operator: 'In' as const, values: [value] });
  t.ok(affinity({ matchFields: [name('node-1')] }));
  t.notOk(affinity({ matchFields: [name('node-2')], matchExpressions: [good] }));
  t.notOk(affinity({ matchFields: [{ key: 'spec.unschedulable', operator: 'NotIn', values: ['true'] }] }));
});
