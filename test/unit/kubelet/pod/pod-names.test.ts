import t from 'tap';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import {
  hostnameOf,
  isCriticalPod,
  isMirrorPod,
  isStaticPod,
  podFullName,
  podUidOf,
  validPathPart,
} from '../../../../src/kubelet/pod/pod-names.js';

function pod(
  spec: Partial<NonNullable<V1Pod['spec']>> = {},
  name = 'web',
  annotations: Record<string, string> = {},
): V1Pod {
  return { metadata: { name, namespace: 'ns', uid: 'own', annotations }, spec: { containers: [], ...spec } };
}

t.test('where a pod came from', async (t) => {
  const file = pod({}, 'web', { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.hash': 'own' });
  const mirror = pod({}, 'web', { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.mirror': 'static' });
  const cases: [name: string, pod: V1Pod, isStatic: boolean, isMirror: boolean, critical: boolean, uid: string][] = [
    ['of the API', pod(), false, false, false, 'own'],
    ['of a file', file, true, false, true, 'own'],
    ['mirror', mirror, false, true, true, 'static'],
    ['system priority', pod({ priority: 2_000_000_000 }), false, false, true, 'own'],
    ['high priority', pod({ priority: 1_999_999_999 }), false, false, false, 'own'],
  ];
  for (const [name, given, isStatic, isMirror, critical, uid] of cases) {
    t.same(
      [isStaticPod(given), isMirrorPod(given), isCriticalPod(given), podUidOf(given)],
      [isStatic, isMirror, critical, uid],
      name,
    );
  }
  t.equal(podFullName(pod()), 'web_ns');
});

t.test('host names', async (t) => {
  const long = `${'a'.repeat(62)}-${'b'.repeat(10)}`;
  const domain = 'sub.ns.svc.cluster.local';
  const cases: [name: string, pod: V1Pod, want: object][] = [
    ['the name', pod(), { hostname: 'web', domain: '' }],
    ['its own', pod({ hostname: 'db' }), { hostname: 'db', domain: '' }],
    ['cut, no dash at the end', pod({}, long), { hostname: 'a'.repeat(62), domain: '' }],
    ['with a subdomain', pod({ subdomain: 'sub' }), { hostname: 'web', domain }],
    ['fqdn', pod({ subdomain: 'sub', setHostnameAsFQDN: true }), { hostname: 'web', domain, fqdn: `web.${domain}` }],
    ['fqdn without subdomain', pod({ setHostnameAsFQDN: true }), { hostname: 'web', domain: '' }],
    ["on the host's network", pod({ hostNetwork: true, subdomain: 'sub' }), { hostname: 'node', domain: '' }],
  ];
  for (const [name, given, want] of cases) t.same(hostnameOf(given, 'node', 'cluster.local'), want, name);
  t.throws(() => hostnameOf(pod({ subdomain: 'sub', setHostnameAsFQDN: true }, 'x'.repeat(50)), 'node'), {
    reason: 'CreatePodSandboxError',
    message: /too long \(64 characters is the max, 75 characters requested\)/,
  });
});

t.test('names that would leave a folder are refused', async (t) => {
  for (const name of ['', '.', '..', 'a/b', '../x', 'a\0']) {
    t.throws(() => validPathPart(name), { code: 'InvalidConfig' }, JSON.stringify(name));
  }
  for (const name of ['web', '...', 'a..b', '6a1c-uid']) t.equal(validPathPart(name), name);
});
