import t, { type Test } from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { silentLogger } from '../../../../src/base/logger.js';
import type { PullOptions } from '../../../../src/docker/types.js';
import type { V1Container, V1Pod } from '../../../../src/kube/pod-objects.js';
import { createImageManager, goDuration } from '../../../../src/kubelet/runtime/image-manager.js';
import { makeFakeRuntimeEngine } from '../../../fakes/fake-runtime-engine.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const podOf = (uid: string): V1Pod => ({
  metadata: { name: uid, namespace: 'ns', uid },
  spec: { containers: [], imagePullSecrets: [{ name: 'login' }] },
});
const signal = new AbortController().signal;
const refused = new HyperupError('RegistryFailed', 'connection refused');

function setUp(maxParallelPulls = 5) {
  const clock = makeManualClock();
  const engine = makeFakeRuntimeEngine({ clock });
  const said: string[] = [];
  const images = createImageManager({
    ...{ engine, clock, logger: silentLogger, maxParallelPulls },
    events: { pod: (_pod, type, reason, message) => said.push(`${type} ${reason} ${message}`), node: () => {} },
    secret: async (namespace, name) => ({
      type: 'kubernetes.io/dockercfg',
      data: {
        '.dockercfg': Buffer.from(`{"reg.io":{"username":"${namespace}","password":"${name}"}}`).toString('base64'),
      },
    }),
  });
  const ensure = (image: string, imagePullPolicy?: V1Container['imagePullPolicy'], uid = 'u', stop = signal) =>
    images.ensureImage(
      podOf(uid),
      { container: { name: 'main', image, ...(imagePullPolicy ? { imagePullPolicy } : {}) }, kind: 'app' },
      stop,
    );
  const pulls = () => engine.calls.filter(({ call }) => call === 'pullImage');
  return { clock, engine, said, ensure, pulls };
}

t.test('policies', async (t) => {
  const { engine, said, ensure, pulls } = setUp();
  const id = engine.addImage('web:1');
  t.equal(await ensure('web:1', 'IfNotPresent'), id);
  t.equal(await ensure('web:1', 'Never'), id);
  t.equal(await ensure(id, 'IfNotPresent'), id, 'by its id');
  t.strictSame(
    [...new Set(said.splice(0))],
    [
      'Normal Pulled Container image "web:1" already present on machine',
      `Normal Pulled Container image "${id}" already present on machine`,
    ],
  );
  engine.arrangePull('web:1', 'image');
  await ensure('web:1', 'Always');
  t.strictSame(said.splice(0), [
    'Normal Pulling Pulling image "web:1"',
    'Normal Pulled Successfully pulled image "web:1" in 0ms',
  ]);
  engine.arrangePull('new:latest', 'image');
  await ensure('new');
  await ensure('new');
  t.equal(pulls().length, 3, 'latest is pulled always where no policy is set');
  said.splice(0);
  await t.rejects(ensure('absent:1', 'Never'), { name: 'PodFailure', reason: 'ErrImageNeverPull' });
  t.strictSame(said.splice(0), [
    'Warning ErrImageNeverPull Container image "absent:1" is not present with pull policy of Never',
    'Warning Failed Error: ErrImageNeverPull',
  ]);
  const text =
    'Failed to apply default image tag "A b": couldn\'t parse image reference "A b": invalid reference format: repository name must be lowercase';
  await t.rejects(ensure('A b'), { reason: 'InvalidImageName', message: text });
  t.strictSame(said.splice(0), [`Warning InspectFailed ${text}`, 'Warning Failed Error: InvalidImageName']);
  engine.failNext('inspectImage', refused);
  await t.rejects(ensure('web:1'), { name: 'PodFailure', reason: 'ImageInspectError' });
});

t.test('back-off doubles per pod and image', async (t) => {
  const { clock, engine, said, ensure, pulls } = setUp();
  engine.arrangePull('web:1', refused);
  await t.rejects(ensure('web:1'), { reason: 'ErrImagePull', message: 'connection refused' });
  t.strictSame(said.splice(0), [
    'Normal Pulling Pulling image "web:1"',
    'Warning Failed Failed to pull image "web:1": connection refused',
    'Warning Failed Error: ErrImagePull',
  ]);
  await t.rejects(ensure('web:1'), { reason: 'ImagePullBackOff', message: 'Back-off pulling image "web:1"' });
  t.strictSame(said.splice(0), [
    'Normal BackOff Back-off pulling image "web:1"',
    'Warning Failed Error: ImagePullBackOff',
  ]);
  await t.rejects(
    ensure('web:1', undefined, 'other'),
    { name: 'PodFailure', reason: 'ErrImagePull' },
    'another pod tries',
  );
  for (const [waitMs, reason] of [
    [9_999, 'ImagePullBackOff'],
    [1, 'ErrImagePull'],
    [19_999, 'ImagePullBackOff'],
    [1, 'ErrImagePull'],
    [700_000, 'ErrImagePull'],
    [9_999, 'ImagePullBackOff'],
    [1, 'ErrImagePull'],
  ] as const) {
    clock.advance(waitMs);
    await t.rejects(ensure('web:1'), { name: 'PodFailure', reason });
  }
  t.equal(pulls().length, 6);
});

t.test('credentials first, then none; one pull for all who want the same', async (t) => {
  const { engine, ensure, pulls } = setUp();
  engine.arrangePull('reg.io/web:1', refused, 'image');
  const found = await Promise.all([ensure('reg.io/web:1'), ensure('reg.io/web:1', undefined, 'other')]);
  t.equal(found[0], found[1]);
  t.strictSame(
    pulls().map(({ args }) => (args[1] as PullOptions).auth?.username),
    ['ns', undefined],
  );
});

t.test('a pull that hangs holds nobody but its own', async (t: Test) => {
  const { engine, ensure } = setUp(2);
  engine.arrangePull('hang:1', 'hang');
  engine.arrangePull('web:1', 'image');
  const stop = new AbortController();
  const first = ensure('hang:1', undefined, 'a', stop.signal);
  const second = ensure('hang:1', undefined, 'b', stop.signal);
  t.ok(await ensure('web:1'));
  stop.abort();
  await t.rejects(first, { code: 'Aborted' });
  await t.rejects(second, { code: 'Aborted' });
});

t.test('durations', (t) => {
  const cases = [
    [12, '12ms'],
    [1200, '1.2s'],
    [62_500, '1m2.5s'],
    [3_600_000, '1h0m0s'],
  ] as const;
  for (const [ms, want] of cases) t.equal(goDuration(ms), want);
  t.end();
});
