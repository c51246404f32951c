import t from 'tap';
import type { V1Container, V1Pod } from '../../../../src/kube/pod-objects.js';
import { profileOptions } from '../../../../src/kubelet/runtime/profiles.js';
import { parseImageUser, verifyRunAsNonRoot } from '../../../../src/kubelet/runtime/security.js';

type Context = NonNullable<V1Container['securityContext']>;
const podOf = (securityContext: Context = {}, annotations: Record<string, string> = {}): V1Pod => ({
  metadata: { name: 'web', namespace: 'ns', uid: 'u', annotations },
  spec: { securityContext, containers: [] },
});

t.test('who must not be root', (t) => {
  const end = ' (pod: "web_ns(u)", container: main)';
  const cases: readonly (readonly [string, Context, Context, string, string | undefined])[] = [
    ['nothing asked', {}, {}, '', undefined],
    ['an image of root', { runAsNonRoot: true }, {}, '', 'container has runAsNonRoot and image will run as root'],
    ['an image of 0', {}, { runAsNonRoot: true }, '0:5', 'container has runAsNonRoot and image will run as root'],
    ['an image of 1000', { runAsNonRoot: true }, {}, '1000', undefined],
    [
      'an image of a name',
      { runAsNonRoot: true },
      {},
      'www:www',
      'container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root',
    ],
    ['the pod as 0', { runAsNonRoot: true, runAsUser: 0 }, {}, '9', "container's runAsUser breaks non-root policy"],
    ['overridden user', { runAsNonRoot: true, runAsUser: 0 }, { runAsUser: 3 }, '', undefined],
    ['overridden rule', { runAsNonRoot: true }, { runAsNonRoot: false }, '', undefined],
  ];
  for (const [name, ofPod, own, user, want] of cases) {
    const verify = () => verifyRunAsNonRoot(podOf(ofPod), { name: 'main', securityContext: own }, parseImageUser(user));
    if (want === undefined) t.doesNotThrow(verify, name);
    else t.throws(verify, { reason: 'CreateContainerConfigError', message: `${want}${end}` }, name);
  }
  t.end();
});

t.test('profiles of seccomp and AppArmor', async (t) => {
  const profileRoot = t.testdir({ 'own.json': '{\n "a": 1 }', 'broken.json': '{' });
  const local = (localhostProfile: string) => ({ seccompProfile: { type: 'Localhost' as const, localhostProfile } });
  const unset = ['seccomp=unconfined'];
  const onPod = 'seccomp.security.alpha.kubernetes.io/pod';
  const onMain = 'container.seccomp.security.alpha.kubernetes.io/main';
  const armor = 'container.apparmor.security.beta.kubernetes.io/main';
  const cases: readonly (readonly [string, Context, Context, Record<string, string>, readonly string[]])[] = [
    ['unset', {}, {}, {}, unset],
    ['runtime default', {}, { seccompProfile: { type: 'RuntimeDefault' } }, { [onMain]: 'unconfined' }, []],
    ["the container's file", {}, local('own.json'), {}, ['seccomp={"a":1}']],
    ["the pod's field", local('own.json'), {}, { [onPod]: 'runtime/default' }, ['seccomp={"a":1}']],
    ["the container's annotation", local('own.json'), {}, { [onMain]: 'docker/default' }, []],
    ["the pod's annotation", {}, {}, { [onPod]: 'localhost/own.json' }, ['seccomp={"a":1}']],
    ['AppArmor', {}, {}, { [armor]: 'localhost/tight' }, ['apparmor=tight', ...unset]],
    ['AppArmor off', {}, {}, { [armor]: 'unconfined' }, ['apparmor=unconfined', ...unset]],
    ['AppArmor default', {}, {}, { [armor]: 'runtime/default' }, unset],
  ];
  const optionsOf = (ofPod: Context, own: Context, annotations: Record<string, string>, seccompDefault = false) =>
    profileOptions(podOf(ofPod, annotations), { name: 'main', securityContext: own }, { profileRoot, seccompDefault });
  for (const [name, ofPod, own, annotations, want] of cases) {
    t.strictSame(await optionsOf(ofPod, own, annotations), want, name);
  }
  t.strictSame(await optionsOf({}, {}, {}, true), [], 'seccompDefault');
  await t.rejects(optionsOf({}, local('../x.json'), {}), /leads out of/);
  await t.rejects(optionsOf({}, local('absent.json'), {}), /cannot load seccomp profile .*absent\.json/);
  await t.rejects(optionsOf({}, local('broken.json'), {}), /cannot load seccomp profile/);
  await t.rejects(optionsOf({}, {}, { [onPod]: 'what' }), { message: 'unknown seccomp profile option: what' });
});
