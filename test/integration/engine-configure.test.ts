import { readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { connectEngine } from '../../src/docker/connect.js';
import { configureEngine } from '../../src/engine/configure-engine.js';
import { localEngineRuntime } from '../../src/engine/local-runtime.js';
import { runCommand } from '../../src/host/run-command.js';
import { startOwnDockerd } from './engine-own-dockerd.js';

const mirror = 'https://mirror.invalid';

t.test('a running dockerd takes over what is configured, without a restart', async (test) => {
  const dockerd = await startOwnDockerd(test);
  await writeFile(dockerd.configPath, '{\n  "debug": false,\n  "max-concurrent-downloads": 4\n}\n');
  const connect = () => connectEngine({ host: dockerd.host, env: {} });
  const runtime = localEngineRuntime({ connect, run: runCommand });
  const { configPath, pidFile } = dockerd;
  const options = {
    registryMirrors: [mirror],
    insecureRegistries: ['r.invalid:5000', '10.9.8.7/16'],
    configPath,
    pidFile,
  };
  const result = await configureEngine(runtime, options);
  test.match(result, { changed: true, reloaded: true, path: configPath });
  const engine = await connect();
  const info = await engine.info();
  engine.close();
  test.same(info.registryMirrors, [`${mirror}/`]);
  test.same([...info.insecureRegistries].sort(), ['10.9.0.0/16', '127.0.0.0/8', 'r.invalid:5000']);
  test.same(JSON.parse(await readFile(configPath, 'utf8')), {
    debug: false,
    'max-concurrent-downloads': 4,
    'registry-mirrors': [mirror],
    'insecure-registries': ['r.invalid:5000', '10.9.8.7/16'],
  });
  test.equal((await readFile(pidFile, 'utf8')).trim(), String(dockerd.pid), 'the same process');
  test.match(await configureEngine(runtime, options), { changed: false, reloaded: false });
});

t.test('a dockerd that refuses the file has the former one again', async (test) => {
  const dockerd = await startOwnDockerd(test);
  // Another key that is a flag too makes dockerd refuse every reload of the file.
  const former = '{ "data-root": "/elsewhere" }';
  await writeFile(dockerd.configPath, former);
  const runtime = localEngineRuntime({
    connect: () => connectEngine({ host: dockerd.host, env: {} }),
    run: runCommand,
    // Time runs ten times as fast, so that the limit of the reload is over sooner.
    clock: { ...systemClock, monotonicMs: () => 10 * performance.now() },
  });
  const { configPath, pidFile } = dockerd;
  const work = configureEngine(runtime, { registryMirrors: [mirror], configPath, pidFile });
  await test.rejects(work, { code: 'EngineFailed', message: /doesn't show https:\/\/mirror\.invalid/ });
  test.equal(await readFile(configPath, 'utf8'), former);
});

t.test('a setting that this dockerd has as a flag', async (test) => {
  const dockerd = await startOwnDockerd(test, ['--registry-mirror', 'https://flag.invalid']);
  const runtime = localEngineRuntime({
    connect: () => connectEngine({ host: dockerd.host, env: {} }),
    run: runCommand,
  });
  const { pidFile } = dockerd;
  await test.rejects(configureEngine(runtime, { registryMirrors: [mirror], pidFile }), {
    code: 'Conflict',
    message: new RegExp(`--registry-mirror, which ${dockerd.configPath} can't have too`),
  });
});
