import { readdir, readFile, stat } from 'node:fs/promises';
import t, { type Test } from 'tap';
import type { EngineInfo } from '../../../src/docker/types.js';
import { configureEngine } from '../../../src/engine/configure-engine.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import { type FakeMachine, makeFakeMachine, noEngine } from './fake-runtime.js';

const config = '/etc/docker/daemon.json';
const mirror = 'https://m.invalid';
const before = '{\n    "data-root": "/d",\n    "registry-mirrors": ["https://old.invalid"]\n}\n';

/** A machine whose engine reads its daemon.json on SIGHUP, as dockerd does. */
async function machineWithEngine(
  test: Test,
  options: { readonly obeys?: boolean; readonly args?: readonly string[]; readonly configPath?: string } = {},
) {
  const { obeys = true, args = [], configPath = config } = options;
  const machine = await makeFakeMachine(test);
  const engine = makeFakeEngine();
  await machine.write('/var/run/docker.pid', '42');
  await machine.process(42, '/usr/sbin/dockerd', args);
  machine.answers(engine);
  machine.onSignal(async () => {
    if (obeys) engine.arrangeInfo(await shownBy(machine, configPath));
  });
  return { machine, engine };
}

async function shownBy(machine: FakeMachine, path: string): Promise<Partial<EngineInfo>> {
  const file = JSON.parse(await readFile(machine.path(path), 'utf8')) as Record<string, string[]>;
  return {
    registryMirrors: (file['registry-mirrors'] ?? []).map((each) => `${each}/`),
    insecureRegistries: ['127.0.0.0/8', ...(file['insecure-registries'] ?? [])],
  };
}

const files = async (machine: FakeMachine) => (await readdir(machine.path('/etc/docker'))).sort();

t.test('what is new is merged, kept beside, reloaded and seen', async (test) => {
  const { machine, engine } = await machineWithEngine(test);
  await machine.write(config, before, 0o600);
  const options = { registryMirrors: [mirror], insecureRegistries: ['r.invalid:5000'] };
  const result = await configureEngine(machine.runtime, options);
  const text = `{
    "data-root": "/d",
    "registry-mirrors": [
        "https://old.invalid",
        "https://m.invalid"
    ],
    "insecure-registries": [
        "r.invalid:5000"
    ]
}
`;
  test.same(result, {
    path: config,
    changed: true,
    added: { 'registry-mirrors': [mirror], 'insecure-registries': ['r.invalid:5000'] },
    text,
    backup: `${config}.hyperup-1.bak`,
    reloaded: true,
  });
  test.equal(await readFile(machine.path(config), 'utf8'), text);
  test.equal((await stat(machine.path(config))).mode & 0o777, 0o600, 'its mode stays');
  test.equal(await readFile(machine.path(`${config}.hyperup-1.bak`), 'utf8'), before);
  test.equal((await stat(machine.path(`${config}.hyperup-1.bak`))).mode & 0o777, 0o600);
  test.same(machine.signals, ['SIGHUP 42']);
  test.ok(engine.closed);
  const again = await configureEngine(machine.runtime, options);
  test.match(again, { changed: false, reloaded: false, added: {}, backup: undefined });
  test.same(machine.signals, ['SIGHUP 42'], 'nothing to do: not even a reload');
  test.same(await files(machine), ['daemon.json', 'daemon.json.hyperup-1.bak']);
  await configureEngine(machine.runtime, { registryMirrors: ['https://third.invalid'] });
  test.same(await files(machine), ['daemon.json', 'daemon.json.hyperup-1.bak', 'daemon.json.hyperup-2.bak']);
});

t.test('a dry run shows the file and changes nothing', async (test) => {
  const { machine } = await machineWithEngine(test);
  const result = await configureEngine(machine.runtime, { registryMirrors: [mirror], dryRun: true });
  test.match(result, { changed: true, reloaded: false, added: { 'registry-mirrors': [mirror] }, text: /m\.invalid/ });
  test.same(machine.signals, []);
  await test.rejects(stat(machine.path(config)), { code: 'ENOENT' });
});

t.test('where no engine runs the file waits for it', async (test) => {
  const machine = await makeFakeMachine(test);
  const result = await configureEngine(machine.runtime, { insecureRegistries: ['10.0.0.0/8'] });
  test.match(result, { changed: true, reloaded: false, backup: undefined });
  test.match(await readFile(machine.path(config), 'utf8'), '10.0.0.0/8');
});

t.test('an engine that has not read its file yet is reloaded', async (test) => {
  const { machine } = await machineWithEngine(test);
  await machine.write(config, JSON.stringify({ 'registry-mirrors': [mirror] }));
  const result = await configureEngine(machine.runtime, { registryMirrors: [mirror] });
  test.match(result, { changed: false, reloaded: true, backup: undefined });
  test.same(machine.signals, ['SIGHUP 42']);
  test.same(await files(machine), ['daemon.json']);
});

t.test('an engine that does not take the file gets the former one back', async (test) => {
  const { machine } = await machineWithEngine(test, { obeys: false });
  await machine.write(config, before);
  await machine.write('/var/log/docker.log', 'earlier\n');
  machine.onSleep(() => machine.write('/var/log/docker.log', 'earlier\nlevel=error msg="could not reload"\n'));
  await test.rejects(configureEngine(machine.runtime, { registryMirrors: [mirror] }), {
    code: 'EngineFailed',
    message: /to take over its configuration: not there after 15 s: it doesn't show https:\/\/m.invalid/,
    output: 'level=error msg="could not reload"',
    hint: /as it was before/,
  });
  test.equal(await readFile(machine.path(config), 'utf8'), before);
  test.same(await files(machine), ['daemon.json']);
  test.same(machine.signals, ['SIGHUP 42', 'SIGHUP 42'], 'and is told of it');
  const fresh = await machineWithEngine(test, { obeys: false });
  await test.rejects(configureEngine(fresh.machine.runtime, { registryMirrors: [mirror] }), { code: 'EngineFailed' });
  test.same(await files(fresh.machine), [], 'where there was no file there is none');
});

t.test('a malformed file stays as it is', async (test) => {
  const { machine } = await machineWithEngine(test);
  await machine.write(config, '{"data-root": ');
  await test.rejects(configureEngine(machine.runtime, { registryMirrors: [mirror] }), {
    code: 'InvalidConfig',
    message: /daemon.json: it is not JSON/,
  });
  test.equal(await readFile(machine.path(config), 'utf8'), '{"data-root": ');
  test.same(await files(machine), ['daemon.json']);
});

t.test('the file that dockerd was told of is the one', async (test) => {
  for (const args of [
    ['--config-file', '/srv/d.json'],
    ['--debug', '--config-file=/srv/d.json'],
  ]) {
    const { machine } = await machineWithEngine(test, { args, configPath: '/srv/d.json' });
    test.match(await configureEngine(machine.runtime, { registryMirrors: [mirror] }), {
      path: '/srv/d.json',
      reloaded: true,
    });
  }
});

t.test('a setting that dockerd has as a flag is not written beside it', async (test) => {
  const { machine } = await machineWithEngine(test, { args: ['--registry-mirror=https://flag.invalid'] });
  await test.rejects(configureEngine(machine.runtime, { registryMirrors: [mirror] }), {
    code: 'Conflict',
    message: /dockerd was started with --registry-mirror/,
  });
  await test.rejects(stat(machine.path(config)), { code: 'ENOENT' });
  test.match(
    await configureEngine(machine.runtime, { insecureRegistries: ['r.invalid'] }),
    { reloaded: true },
    'others are',
  );
});

t.test("without a pid file the service manager's reload serves", async (test) => {
  const machine = await makeFakeMachine(test);
  const engine = makeFakeEngine();
  machine.answers(engine);
  await machine.write('/run/systemd/system/x', '');
  await machine.program('/usr/bin/systemctl', async () => {
    engine.arrangeInfo(await shownBy(machine, config));
    return {};
  });
  test.match(await configureEngine(machine.runtime, { registryMirrors: [mirror] }), { reloaded: true });
  test.same(machine.commands, ['systemctl reload docker']);
});

t.test('an engine whose process is unknown is not left with a file that it has not read', async (test) => {
  const machine = await makeFakeMachine(test);
  machine.answers(makeFakeEngine());
  await machine.write('/var/run/docker.pid', '42');
  await machine.process(42, '/usr/bin/other');
  await test.rejects(configureEngine(machine.runtime, { registryMirrors: [mirror] }), {
    code: 'EngineFailed',
    message: /its process is unknown/,
  });
  test.same(machine.signals, [], 'a foreign process is never signalled');
  test.same(await files(machine), []);
});

const elsewhere: readonly { readonly name: string; readonly info: Partial<EngineInfo> }[] = [
  { name: 'over TCP', info: { endpoint: 'tcp://far.invalid:2375' } },
  { name: 'rootless', info: { rootless: true } },
];
for (const { name, info } of elsewhere) {
  t.test(`an engine that reads another file: ${name}`, async (test) => {
    const machine = await makeFakeMachine(test);
    const engine = makeFakeEngine();
    engine.arrangeInfo(info);
    machine.answers(engine);
    await test.rejects(configureEngine(machine.runtime, { registryMirrors: [mirror] }), { code: 'Conflict' });
    await test.rejects(stat(machine.path(config)), { code: 'ENOENT' });
    test.ok(engine.closed);
  });
}

t.test('a named engine that does not answer is an error, not a reason to write', async (test) => {
  const machine = await makeFakeMachine(test);
  machine.answers(noEngine('tcp://far.invalid:2375', 'nothing listens there'));
  await test.rejects(configureEngine(machine.runtime, { registryMirrors: [mirror] }), { code: 'EngineUnreachable' });
  await test.rejects(stat(machine.path(config)), { code: 'ENOENT' });
});
