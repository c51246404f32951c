import t from 'tap';
import type { V1Container, V1Pod, V1PodSpec } from '../../../../src/kube/pod-objects.js';
import { type ContainerBodyOptions, makeContainerBody } from '../../../../src/kubelet/runtime/container-body.js';
import { makeSandboxBody } from '../../../../src/kubelet/runtime/sandbox-body.js';
import type { RuntimeSandbox, StartContainerRequest } from '../../../../src/kubelet/types.js';

const identity = { instance: 'one' };
const log = { Type: 'json-file', Config: {} };
const podOf = (spec: Partial<V1PodSpec>, annotations = {}): V1Pod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u-1', annotations },
  spec: { containers: [], ...spec },
});
const sandboxBody = (spec: Partial<V1PodSpec>) =>
  makeSandboxBody({
    ...{ pod: podOf(spec), attempt: 0, identity, pauseImage: 'pause:1', hostname: 'web', logConfig: log },
    ...{ cgroupParent: '/kubepods/podu-1', runtime: undefined },
  });

t.test('a sandbox', (t) => {
  t.match(sandboxBody({}), {
    ...{ Image: 'pause:1', Hostname: 'web' },
    HostConfig: {
      ...{ NetworkMode: 'default', IpcMode: 'shareable', CgroupParent: '/kubepods/podu-1', CpuShares: 2 },
      ...{ OomScoreAdj: -998, SecurityOpt: ['no-new-privileges'], RestartPolicy: { Name: 'no' } },
    },
  });
  t.notOk('PidMode' in sandboxBody({ shareProcessNamespace: true }).HostConfig, 'sharing is the sandbox its own');
  const ports = [
    { containerPort: 80, hostPort: 54321, hostIP: '127.0.0.1' },
    { containerPort: 80, hostPort: 54322 },
    { containerPort: 80, hostPort: 54321, protocol: 'UDP' as const },
    { containerPort: 81, hostPort: 1, protocol: 'SCTP' as const },
    { containerPort: 9 },
  ];
  const published = sandboxBody({ containers: [{ name: 'main', ports }] });
  t.strictSame(published.HostConfig.PortBindings, {
    '80/tcp': [
      { HostIp: '127.0.0.1', HostPort: '54321' },
      { HostIp: '', HostPort: '54322' },
    ],
    '80/udp': [{ HostIp: '', HostPort: '54321' }],
    '81/sctp': [{ HostIp: '', HostPort: '1' }],
  });
  t.strictSame(Object.keys(published.ExposedPorts ?? {}), ['80/tcp', '80/udp', '81/sctp']);
  const host = sandboxBody({ hostNetwork: true, hostPID: true, hostIPC: true, containers: [{ name: 'main', ports }] });
  t.match(host.HostConfig, { NetworkMode: 'host', PidMode: 'host', IpcMode: 'host' });
  t.notOk(host.Hostname ?? host.ExposedPorts ?? host.HostConfig.PortBindings);
  const secured = sandboxBody({
    securityContext: { runAsUser: 5, runAsGroup: 6, fsGroup: 7, sysctls: [{ name: 'kernel.shm', value: '1' }] },
  });
  t.match(secured, { User: '5:6', HostConfig: { GroupAdd: ['7'], Sysctls: { 'kernel.shm': '1' } } });
  t.throws(() => sandboxBody({ securityContext: { runAsGroup: 6 } }), {
    reason: 'CreatePodSandboxError',
    message: 'runAsGroup is specified without a runAsUser',
  });
  t.end();
});

const sandbox: RuntimeSandbox = {
  ...{ id: 'sb', podUid: 'u-1', attempt: 0, state: 'ready', createdAtMs: 0, hostNetwork: false, ips: [], pid: 1 },
};
const containerBody = (
  container: Partial<V1Container>,
  spec: Partial<V1PodSpec> = {},
  more: Partial<ContainerBodyOptions> = {},
  targetContainerId?: string,
  devices: StartContainerRequest['devices'] = [],
) =>
  makeContainerBody({
    request: {
      ...{ pod: podOf(spec), container: { name: 'main', ...container }, kind: 'app', sandbox, attempt: 1 },
      imageId: 'sha256:1',
      environment: new Map([['A', 'b']]),
      binds: [{ hostPath: '/h', containerPath: '/c', readOnly: true, propagation: 'rslave' }],
      devices,
      targetContainerId,
    },
    ...{ identity, imageUser: { uid: 0, name: '' }, profiles: ['seccomp=unconfined'], logPath: '/l', logConfig: log },
    ...{ cgroupParent: undefined, runtime: undefined, nodeMemoryBytes: 1e9, podPidsLimit: -1, cgroupVersion: 1 },
    apiVersion: '1.41',
    ...more,
  });

t.test('a container', (t) => {
  const plain = containerBody({ command: ['$(A)', '$$(A)', '$(B)'], stdin: true });
  t.match(plain, {
    ...{ Image: 'sha256:1', Entrypoint: ['b', '$(A)', '$(B)'], Env: ['A=b'], User: '', OpenStdin: true, Tty: false },
    Healthcheck: { Test: ['NONE'] },
    HostConfig: { NetworkMode: 'container:sb', IpcMode: 'container:sb', SecurityOpt: ['seccomp=unconfined'] },
  });
  // The engine refuses these beside `container:`.
  t.notOk(plain.Hostname ?? plain.ExposedPorts ?? plain.HostConfig.PortBindings ?? plain.HostConfig.UTSMode);
  t.notOk('Cmd' in plain || 'PidMode' in plain.HostConfig || 'PidsLimit' in plain.HostConfig);
  t.equal(containerBody({}, { hostNetwork: true }).HostConfig.UTSMode, 'host');
  const pidModes: readonly (readonly [string, Partial<V1PodSpec>, string | undefined, string])[] = [
    ['shared', { shareProcessNamespace: true }, 't', 'container:sb'],
    ['the host', { hostPID: true }, 't', 'host'],
    ['a target', {}, 't', 'container:t'],
  ];
  for (const [name, spec, target, want] of pidModes) {
    t.equal(containerBody({}, spec, {}, target).HostConfig.PidMode, want, name);
  }
  t.end();
});

t.test('block devices', (t) => {
  t.notOk('Devices' in containerBody({}).HostConfig);
  const device = { hostPath: '/dev/sdb', containerPath: '/dev/x' };
  const body = containerBody({}, {}, {}, undefined, [
    { ...device, readOnly: false },
    { ...device, readOnly: true },
  ]);
  const want = { PathOnHost: '/dev/sdb', PathInContainer: '/dev/x' };
  t.strictSame(body.HostConfig.Devices, [
    { ...want, CgroupPermissions: 'rwm' },
    { ...want, CgroupPermissions: 'r' },
  ]);
  t.end();
});

t.test('read-only binds are not recursive where the engine would make them so', (t) => {
  const optionsFor = (apiVersion: string) =>
    containerBody({}, {}, { apiVersion }).HostConfig.Mounts?.map((mount) => mount.BindOptions);
  t.strictSame(optionsFor('1.43'), [{ Propagation: 'rslave' }]);
  t.strictSame(optionsFor('1.44'), [{ Propagation: 'rslave', ReadOnlyNonRecursive: true }]);
  t.strictSame(optionsFor('1.52'), [{ Propagation: 'rslave', ReadOnlyNonRecursive: true }]);
  t.end();
});

t.test('its security context', (t) => {
  const host = (container: Partial<V1Container>, spec: Partial<V1PodSpec> = {}) =>
    containerBody(container, spec).HostConfig;
  t.match(
    host(
      {
        securityContext: {
          ...{ privileged: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
          capabilities: { add: ['CAP_NET_ADMIN'], drop: ['ALL'] },
          seLinuxOptions: { level: 's0' },
        },
      },
      { securityContext: { fsGroup: 7, supplementalGroups: [8, 9], seLinuxOptions: { user: 'x' } } },
    ),
    {
      ...{ Privileged: true, ReadonlyRootfs: true, CapAdd: ['NET_ADMIN'], CapDrop: ['ALL'], GroupAdd: ['7', '8', '9'] },
      SecurityOpt: ['label=level:s0', 'no-new-privileges', 'seccomp=unconfined'],
    },
  );
  t.match(host({ securityContext: { procMount: 'Unmasked' } }), { MaskedPaths: [], ReadonlyPaths: [] });
  t.notOk('MaskedPaths' in host({}));
  const users: readonly (readonly [string, V1Container['securityContext'], V1PodSpec['securityContext'], string])[] = [
    ["the container's", { runAsUser: 1 }, { runAsUser: 2, runAsGroup: 3 }, '1:3'],
    ["the pod's", {}, { runAsUser: 2 }, '2'],
    ['root expressly', { runAsUser: 0 }, {}, '0'],
    ["a group for the image's", { runAsGroup: 3 }, {}, '0:3'],
  ];
  for (const [name, own, ofPod, want] of users) {
    const body = containerBody({ ...(own ? { securityContext: own } : {}) }, ofPod ? { securityContext: ofPod } : {});
    t.equal(body.User, want, name);
  }
  t.equal(containerBody({}, {}, { imageUser: { uid: undefined, name: 'www' } }).User, 'www');
  t.end();
});
