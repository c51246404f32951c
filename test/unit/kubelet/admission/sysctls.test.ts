import t from 'tap';
import type { V1PodSpec } from '../../../../src/kube/pod-objects.js';
import { findForbiddenSysctl } from '../../../../src/kubelet/admission/sysctls.js';

t.test('sysctls', async (t) => {
  const cases: readonly (readonly [string, Partial<V1PodSpec>, readonly string[], RegExp | undefined])[] = [
    ['kernel.shm_rmid_forced', {}, [], undefined],
    ['net/ipv4/tcp_syncookies', {}, [], undefined],
    ['net.core.somaxconn', {}, [], /"net\.core\.somaxconn" not whitelisted/],
    ['net.core.somaxconn', {}, ['net.core.*'], undefined],
    ['net.core.somaxconn', {}, ['net.core.somaxconn'], undefined],
    ['net.core.somaxconn', {}, ['net.core'], /not whitelisted/],
    ['net.ipv4.tcp_syncookies', { hostNetwork: true }, [], /not allowed with host net enabled/],
    ['kernel.shm_rmid_forced', { hostNetwork: true }, [], undefined],
    ['kernel.shm_rmid_forced', { hostIPC: true }, [], /not allowed with host ipc enabled/],
    ['fs.mqueue.msg_max', { hostIPC: true }, ['fs.*'], /host ipc/],
  ];
  for (const [name, spec, allowed, want] of cases) {
    const pod = { spec: { containers: [], ...spec, securityContext: { sysctls: [{ name, value: '1' }] } } };
    t.match(findForbiddenSysctl(pod, allowed), want, `${name} ${JSON.stringify(spec)} ${allowed}`);
    if (!want) t.equal(findForbiddenSysctl(pod, allowed), undefined, name);
  }
  t.equal(findForbiddenSysctl({}, []), undefined);
});
