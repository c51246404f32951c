import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { makeContainerLabels, makeSandboxLabels, parseLabels } from '../../../../src/kubelet/runtime/labels.js';
import { makeContainerName, parseContainerName, randomizeName } from '../../../../src/kubelet/runtime/naming.js';

const parts = { container: 'main', pod: 'web-0', namespace: 'default', uid: 'u-1', attempt: 12 };

t.test('names are read back', (t) => {
  const name = makeContainerName(parts);
  t.equal(name, 'k8s_main_web-0_default_u-1_12');
  for (const text of [name, `/${name}`, randomizeName(name)]) t.strictSame(parseContainerName(text), parts, text);
  t.not(randomizeName(name), randomizeName(name));
  for (const text of ['web', 'k8s_main_web-0_default_u-1', 'k8s_main_web-0_default_u-1_x', 'k9s_main_web-0_d_u-1_1']) {
    t.equal(parseContainerName(text), undefined, text);
  }
  t.end();
});

const pod: V1Pod = {
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'u-1',
    labels: { app: 'web', 'io.kubernetes.pod.uid': 'forged' },
    annotations: { large: 'text' },
  },
  spec: { terminationGracePeriodSeconds: 7, containers: [] },
};
const identity = { instance: 'one' };

t.test("labels hold all that a restarted kubelet needs, and no pod's own label hides it", (t) => {
  const sandbox = makeSandboxLabels(pod, 3, identity);
  t.match(sandbox, { app: 'web', 'io.hyperup.managed': 'true', 'io.hyperup.kubelet': 'one' });
  t.notOk(Object.keys(sandbox).some((key) => key.includes('large')));
  t.match(parseLabels(sandbox), { type: 'sandbox', podUid: 'u-1', attempt: 3, terminationGraceSeconds: 7 });
  const container = { name: 'main', image: 'web:1', terminationMessagePath: '/msg' };
  const labels = makeContainerLabels({ pod, container, attempt: 2, sandboxId: 's', logPath: '/log', identity });
  t.match(labels, { 'annotation.io.kubernetes.container.restartCount': '2' });
  t.match(parseLabels(labels), {
    ...{ type: 'container', podUid: 'u-1', podName: 'web', namespace: 'default', containerName: 'main', attempt: 2 },
    ...{ sandboxId: 's', image: 'web:1', logPath: '/log', hash: /^[0-9a-f]{16}$/, terminationMessagePath: '/msg' },
    ...{ terminationMessagePolicy: 'File', terminationGraceSeconds: 7 },
  });
  t.equal(parseLabels({ app: 'web' }), undefined);
  t.end();
});
