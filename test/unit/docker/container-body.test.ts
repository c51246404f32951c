import t from 'tap';
import { toContainerBody } from '../../../src/docker/container-body.js';

const clean = (value: unknown) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;

t.test('the least that a container needs', async (test) => {
  test.same(clean(toContainerBody({ name: 'a', image: 'i:1', command: ['/x', '-y'] })), {
    Image: 'i:1',
    Cmd: ['/x', '-y'],
    HostConfig: { Mounts: [], Privileged: false, RestartPolicy: { Name: 'no' } },
  });
});

t.test('all of it', async (test) => {
  const body = toContainerBody({
    name: 'kubelet',
    image: 'hyperkube:1',
    command: ['kubelet'],
    entrypoint: ['/hyperkube'],
    env: { A: '1', B: 'x=y' },
    labels: { 'io.hyperup.managed': 'true' },
    mounts: [
      { source: '/var/lib/kubelet', target: '/var/lib/kubelet', propagation: 'rshared' },
      { source: '/', target: '/rootfs', readOnly: true },
    ],
    tmpfs: ['/run', '/tmp:size=64m,mode=1777'],
    networkMode: 'host',
    pidMode: 'host',
    ipcMode: 'host',
    cgroupnsMode: 'host',
    privileged: true,
    restart: 'always',
    workingDir: '/srv',
    user: '1:2',
    logMaxSize: '10m',
    logMaxFiles: 3,
    ports: [
      { hostIp: '127.0.0.1', hostPort: 5000, containerPort: 80 },
      { hostIp: '::1', hostPort: 5000, containerPort: 80 },
    ],
  });
  test.same(clean(body), {
    Image: 'hyperkube:1',
    Cmd: ['kubelet'],
    Entrypoint: ['/hyperkube'],
    Env: ['A=1', 'B=x=y'],
    Labels: { 'io.hyperup.managed': 'true' },
    WorkingDir: '/srv',
    User: '1:2',
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      Mounts: [
        {
          Type: 'bind',
          Source: '/var/lib/kubelet',
          Target: '/var/lib/kubelet',
          ReadOnly: false,
          BindOptions: { Propagation: 'rshared' },
        },
        { Type: 'bind', Source: '/', Target: '/rootfs', ReadOnly: true },
      ],
      Tmpfs: { '/run': '', '/tmp': 'size=64m,mode=1777' },
      NetworkMode: 'host',
      PidMode: 'host',
      IpcMode: 'host',
      CgroupnsMode: 'host',
      Privileged: true,
      RestartPolicy: { Name: 'always' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      PortBindings: {
        '80/tcp': [
          { HostIp: '127.0.0.1', HostPort: '5000' },
          { HostIp: '::1', HostPort: '5000' },
        ],
      },
    },
  });
});
