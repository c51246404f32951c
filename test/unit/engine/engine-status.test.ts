import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import { engineStatus } from '../../../src/engine/engine-status.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import { makeFakeMachine } from './fake-runtime.js';

t.test('an engine that answers', async (test) => {
  const machine = await makeFakeMachine(test);
  const engine = makeFakeEngine();
  machine.answers(engine);
  await machine.program('/usr/sbin/dockerd');
  await machine.write('/var/run/docker.pid', '42\n');
  await machine.process(42, '/usr/sbin/dockerd');
  await machine.write('/etc/docker/daemon.json', '{"registry-mirrors": ["https://m.invalid"]}');
  test.match(await engineStatus(machine.runtime), {
    answers: true,
    info: { version: '20.10.24', cgroupDriver: 'cgroupfs' },
    problem: undefined,
    dockerd: '/usr/sbin/dockerd',
    pid: 42,
    serviceManager: 'none',
    config: {
      path: '/etc/docker/daemon.json',
      present: true,
      lists: { 'registry-mirrors': ['https://m.invalid'], 'insecure-registries': [] },
      fault: undefined,
    },
  });
  test.ok(engine.closed);
});

t.test('a machine without one', async (test) => {
  const machine = await makeFakeMachine(test);
  test.match(await engineStatus(machine.runtime), {
    answers: false,
    info: undefined,
    problem: { code: 'EngineUnreachable', message: /no such socket/, hint: 'Start Docker.' },
    dockerd: undefined,
    pid: undefined,
    config: { present: false, fault: undefined },
  });
});

t.test('a configuration that is none is shown as a fault', async (test) => {
  const machine = await makeFakeMachine(test);
  await machine.write('/etc/docker/daemon.json', '{');
  test.match(await engineStatus(machine.runtime), { config: { present: true, fault: /not JSON/ } });
});

t.test('an abort is passed on', async (test) => {
  const machine = await makeFakeMachine(test);
  machine.answers(new HyperupError('Aborted', 'interrupted'));
  await test.rejects(engineStatus(machine.runtime), { code: 'Aborted' });
});
