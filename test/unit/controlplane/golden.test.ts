import { join } from 'node:path';
import t from 'tap';
import { readManifests } from '../../../src/controlplane/manifests.js';
import { planStaticPods } from '../../../src/controlplane/static-pods.js';
import { makeControlPlaneInputs } from '../../builders/inputs.js';
import { matchGolden } from '../../fixtures/golden.js';

const manifests = await readManifests(join(process.cwd(), 'manifests'));

for (const version of ['v1.17.17', 'v1.18.20', 'v1.19.16', 'v1.20.2']) {
  t.test(`static pods of ${version}`, async (t) => {
    for (const { component, pod } of planStaticPods(manifests.staticPods, makeControlPlaneInputs(version))) {
      matchGolden(t, `${version}/${component}.yaml`, pod);
    }
  });
}

t.test('an image a component', async (t) => {
  const inputs = makeControlPlaneInputs('v1.20.2', {}, 'component');
  const found = planStaticPods(manifests.staticPods, inputs).map(({ pod }) => {
    const [container] = pod.spec.containers;
    return `${container?.image} ${container?.command?.[0]}`;
  });
  t.strictSame(found, [
    'k8s.gcr.io/etcd:3.4.13-0 etcd',
    'k8s.gcr.io/kube-apiserver:v1.20.2 kube-apiserver',
    'k8s.gcr.io/kube-controller-manager:v1.20.2 kube-controller-manager',
    'k8s.gcr.io/kube-scheduler:v1.20.2 kube-scheduler',
    'k8s.gcr.io/kube-proxy:v1.20.2 /usr/local/bin/kube-proxy',
  ]);
});
