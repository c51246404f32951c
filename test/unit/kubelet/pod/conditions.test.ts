import t from 'tap';
import { findCondition, isKubeletCondition, mergeConditions } from '../../../../src/kubelet/pod/conditions.js';

t.test('conditions side by side', async (t) => {
  const before = [
    { type: 'x/y', status: 'True', lastTransitionTime: 'a' },
    { type: 'Ready', status: 'True', lastTransitionTime: 'b' },
    { type: 'Initialized', status: 'False', lastTransitionTime: 'c' },
  ] as const;
  const next = [
    { type: 'Ready', status: 'True', reason: 'r' },
    { type: 'Initialized', status: 'True' },
    { type: 'PodScheduled', status: 'True', lastTransitionTime: 'own' },
  ] as const;
  t.strictSame(mergeConditions(before, next, 0), [
    { type: 'x/y', status: 'True', lastTransitionTime: 'a' },
    { type: 'Ready', status: 'True', reason: 'r', lastTransitionTime: 'b' },
    { type: 'Initialized', status: 'True', lastTransitionTime: '1970-01-01T00:00:00Z' },
    { type: 'PodScheduled', status: 'True', lastTransitionTime: 'own' },
  ]);
  t.equal(findCondition(before, 'Ready'), before[1]);
  t.equal(findCondition(undefined, 'Ready'), undefined);
  t.strictSame(['Ready', 'x/y'].map(isKubeletCondition), [true, false]);
});
