import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import { installEngine } from '../../../src/engine/install-engine.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import { makeFakeMachine, noEngine } from './fake-runtime.js';

const dockerd = '/usr/sbin/dockerd';

async function debian(test: Test, options: Parameters<typeof makeFakeMachine>[1] = {}) {
  const machine = await makeFakeMachine(test, options);
  await machine.write('/etc/os-release', 'ID=debian\nPRETTY_NAME="Debian 12"\n');
  await machine.write('/var/log/docker.log', 'of an earlier run\n');
  return machine;
}

t.test('where an engine answers nothing is done', async (test) => {
  const machine = await debian(test);
  const engine = makeFakeEngine();
  machine.answers(engine);
  test.match(await installEngine(machine.runtime), { changed: false, steps: [], info: { version: '20.10.24' } });
  test.same([machine.commands, machine.spawned], [[], []]);
  test.ok(engine.closed);
});

t.test('packages, then dockerd by hand, then the wait', async (test) => {
  const machine = await debian(test);
  await machine.program('/usr/bin/apt-get', async (args) => {
    if (args.includes('install')) await machine.program(dockerd);
    return { stdout: 'Reading package lists...' };
  });
  machine.onSpawn(() => {
    machine.onSleep(() => {
      if (machine.slept() >= 1000) machine.answers(makeFakeEngine());
    });
    return {};
  });
  const events: ProgressEvent[] = [];
  const result = await installEngine(machine.runtime, { emit: (event) => events.push(event) });
  test.match(result, { changed: true, info: { apiVersion: '1.41' } });
  test.same(
    machine.commands.map((command) => command.split(' ').at(-1)),
    ['update', 'ca-certificates'],
  );
  test.same(machine.environments, Array(2).fill({ DEBIAN_FRONTEND: 'noninteractive' }));
  test.same(machine.spawned, [dockerd]);
  test.same(result.steps.slice(-2), ['start dockerd in the background', 'wait until the engine answers']);
  test.match(events, [
    { type: 'output', line: 'Reading package lists...' },
    { type: 'output' },
    { type: 'wait', reason: /does not answer yet/ },
  ]);
});

t.test('lists that can not be refreshed, and a package whose service does not start, do not matter', async (test) => {
  const machine = await debian(test);
  await machine.program('/usr/bin/apt-get', async (args) => {
    if (args.includes('install')) await machine.program(dockerd);
    return { exitCode: 100, stdout: 'E: something' };
  });
  machine.onSpawn(() => {
    machine.answers(makeFakeEngine());
    return {};
  });
  const events: ProgressEvent[] = [];
  const result = await installEngine(machine.runtime, { emit: (event) => events.push(event) });
  test.ok(result.info);
  test.match(
    events.filter((event) => event.type === 'note'),
    [{ level: 'warn', message: /reports a failure, but Docker is installed/ }],
  );
});

t.test('packages that can not be installed', async (test) => {
  const machine = await debian(test);
  await machine.program('/usr/bin/apt-get', () => ({ exitCode: 100, stdout: 'E: Unable to locate package docker.io' }));
  await test.rejects(installEngine(machine.runtime), {
    code: 'HostChangeFailed',
    message: /docker\.io iptables ca-certificates ended with code 100/,
    output: /Unable to locate package/,
    hint: /mirror, proxy/,
  });
  test.same(machine.spawned, []);
});

t.test('the second name of a package, where the first is none', async (test) => {
  const machine = await makeFakeMachine(test);
  await machine.write('/etc/os-release', 'ID=fedora\n');
  await machine.write('/run/systemd/system/x', '');
  await machine.program('/usr/bin/dnf', async (args) => {
    if (args.includes('moby-engine')) return { exitCode: 1 };
    await machine.program('/usr/bin/dockerd');
    return {};
  });
  await machine.program('/usr/bin/systemctl', () => {
    machine.answers(makeFakeEngine());
    return {};
  });
  await installEngine(machine.runtime);
  test.same(machine.commands, ['dnf -y install moby-engine', 'dnf -y install docker', 'systemctl enable --now docker']);
});

t.test('OpenRC', async (test) => {
  const machine = await makeFakeMachine(test);
  await machine.write('/etc/os-release', 'ID=alpine\n');
  await machine.write('/run/openrc/softlevel', 'default');
  await machine.program('/sbin/apk', async (args) => {
    if (args[0] === 'add') await machine.program('/usr/bin/dockerd');
    return {};
  });
  await machine.program('/sbin/rc-update', () => ({ exitCode: 1, stderr: 'docker already installed in runlevel' }));
  await machine.program('/sbin/rc-service', () => {
    machine.answers(makeFakeEngine());
    return {};
  });
  await installEngine(machine.runtime);
  test.same(machine.commands, [
    'apk update',
    'apk add docker',
    'rc-update add docker default',
    'rc-service docker start',
  ]);
});

t.test('an installed engine is only started', async (test) => {
  const machine = await debian(test);
  await machine.program(dockerd);
  await machine.write('/var/run/docker.pid', '1');
  await machine.process(1, '/sbin/init');
  await machine.write('/var/run/docker/containerd/containerd.pid', '4711');
  machine.onSpawn(() => {
    machine.answers(makeFakeEngine());
    return {};
  });
  test.match(await installEngine(machine.runtime), { changed: true, steps: { length: 2 } });
  test.same(machine.commands, []);
  const pidFiles = ['/var/run/docker.pid', '/var/run/docker/containerd/containerd.pid'];
  const left = pidFiles.map((path) => existsSync(machine.path(path)));
  test.same(left, [false, false], 'pid files of an earlier boot are out of its way');
});

t.test('a dockerd that is starting already is only waited for', async (test) => {
  const machine = await debian(test);
  await machine.program(dockerd);
  await machine.write('/var/run/docker.pid', '42');
  await machine.process(42, `${dockerd} (deleted)`);
  machine.onSleep(() => machine.answers(makeFakeEngine()));
  test.match(await installEngine(machine.runtime), { changed: true });
  test.same(machine.spawned, []);
});

t.test('a dockerd that gives up shows why', async (test) => {
  const machine = await debian(test);
  await machine.program(dockerd);
  machine.onSpawn(async () => {
    await machine.write('/var/log/docker.log', 'of an earlier run\nfailed to start daemon: no iptables\n');
    return { ended: 'exit code 1' };
  });
  await test.rejects(installEngine(machine.runtime), {
    code: 'EngineFailed',
    message: 'start the engine: dockerd gave up: exit code 1',
    output: 'failed to start daemon: no iptables',
    hint: /\/var\/log\/docker\.log/,
  });
  test.ok(machine.slept() < 1000, 'at once, not after the time limit');
});

t.test('a dockerd that gives up because the package has started one is no failure', async (test) => {
  const machine = await debian(test);
  await machine.program(dockerd);
  machine.onSpawn(async () => {
    await machine.write('/var/run/docker.pid', '42');
    await machine.process(42, dockerd);
    machine.onSleep(() => {
      if (machine.slept() >= 2000) machine.answers(makeFakeEngine());
    });
    return { ended: 'exit code 1' };
  });
  test.ok((await installEngine(machine.runtime)).info);
});

t.test('an engine that never answers', async (test) => {
  const machine = await debian(test);
  await machine.program(dockerd);
  machine.onSpawn(() => ({}));
  await test.rejects(installEngine(machine.runtime, { timeoutMs: 5000 }), {
    code: 'Timeout',
    message: /wait for the Docker Engine to answer: not there after 5 s: no engine answers/,
  });
});

t.test('a service that does not start', async (test) => {
  const machine = await debian(test);
  await machine.program(dockerd);
  await machine.write('/run/systemd/system/x', '');
  await machine.program('/usr/bin/systemctl', () => ({ exitCode: 1, stderr: 'Job for docker.service failed' }));
  await machine.program('/usr/bin/journalctl', () => ({ stdout: 'dockerd[7]: no iptables\n' }));
  await test.rejects(installEngine(machine.runtime), {
    code: 'EngineFailed',
    message: 'start the engine: systemctl enable --now docker ended with code 1',
    output: 'Job for docker.service failed\ndockerd[7]: no iptables',
    hint: /journalctl -u docker/,
  });
});

t.test('an engine that is too old ends the wait', async (test) => {
  const machine = await debian(test);
  await machine.program(dockerd);
  machine.onSpawn(() => {
    machine.answers(new HyperupError('EngineFailed', 'it speaks API 1.40', { hint: 'Upgrade Docker.' }));
    return {};
  });
  await test.rejects(installEngine(machine.runtime), {
    code: 'EngineFailed',
    message: /1\.40/,
    hint: 'Upgrade Docker.',
  });
});

t.test('a dry run says what would be done', async (test) => {
  const machine = await debian(test, { isRoot: false });
  await machine.program('/usr/bin/apt-get');
  const result = await installEngine(machine.runtime, { dryRun: true });
  test.match(result, { changed: true, info: undefined });
  test.match(result.steps, [/^apt-get .*update$/, /^apt-get .*install docker\.io/, /dockerd/, /wait/]);
  test.same(machine.commands, []);
});

const refused = [
  { name: 'without root', isRoot: false, error: noEngine(), code: 'PermissionDenied', message: /want root/ },
  { name: 'a socket that refuses us', error: noEngine(undefined, 'permission denied'), code: 'EngineUnreachable' },
  { name: 'an engine that was named', error: noEngine('tcp://far.invalid:2375', 'x'), code: 'EngineUnreachable' },
  { name: 'an engine that is too old', error: new HyperupError('EngineFailed', 'API 1.40'), code: 'EngineFailed' },
];
for (const { name, isRoot = true, error, ...want } of refused) {
  t.test(`refused: ${name}`, async (test) => {
    const machine = await debian(test, { isRoot });
    await machine.program('/usr/bin/apt-get');
    machine.answers(error);
    await test.rejects(installEngine(machine.runtime), want);
    test.same(machine.commands, []);
  });
}

t.test('a distribution without a Docker package', async (test) => {
  const machine = await makeFakeMachine(test);
  await machine.write('/etc/os-release', 'ID=rocky\nPRETTY_NAME="Rocky Linux 9"\n');
  await machine.program('/usr/bin/dnf');
  await test.rejects(installEngine(machine.runtime), {
    code: 'HostChangeFailed',
    message: /Rocky Linux 9 has no Docker package that hyperup knows of \(package managers: dnf\)/,
    hint: /docs\.docker\.com/,
  });
});
