import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import type { V1Handler } from '../../../../src/kube/pod-objects.js';
import { createHooks } from '../../../../src/kubelet/prober/hooks.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const pod = { metadata: { name: 'web', namespace: 'ns', uid: 'u-1' } };

function setUp(execSync = async () => ({ exitCode: 0, output: '' })) {
  const clock = makeManualClock();
  const hooks = createHooks({ clock, execSync });
  const controller = new AbortController();
  const run = (handler: V1Handler, podIp = '127.0.0.1') =>
    hooks.run(pod, { name: 'app' }, 'c1', handler, podIp, controller.signal);
  return { clock, run, controller };
}

t.test('commands', async (t) => {
  await setUp().run({ exec: { command: ['true'] } });
  const failing = setUp(async () => ({ exitCode: 2, output: 'oh "no"' }));
  await t.rejects(failing.run({ exec: { command: ['sh', '-c', 'x'] } }), {
    code: 'Unhealthy',
    message:
      'Exec lifecycle hook ([sh -c x]) for Container "app" in Pod "web_ns(u-1)" failed - error: command \'sh -c x\' exited with 2: oh "no", message: "oh \\"no\\""',
  });
  const broken = setUp(async () => {
    throw new HyperupError('EngineFailed', 'engine down');
  });
  await t.rejects(broken.run({ exec: {} }), { message: /failed - error: engine down/ });
});

t.test('requests: any answer is good, the query stays', async (t) => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.url} ${request.headers['user-agent']} ${request.headers['x-a'] ?? ''}`);
    response.statusCode = 500;
    response.end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => {
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const { run } = setUp();
  await run({ httpGet: { port, path: 'echo?msg=prestop', httpHeaders: [{ name: 'X-A', value: 'b' }] } });
  await run({ httpGet: { port, path: '/echo?msg=prestop' } });
  await run({ httpGet: { port, scheme: 'HTTPS' } });
  t.same(seen, [
    '/echo?msg=prestop kube-lifecycle/1.20 b',
    '/echo?msg=prestop kube-lifecycle/1.20 ',
    '/ kube-lifecycle/1.20 ',
  ]);
  await t.rejects(run({ httpGet: { port: 'none' } }), {
    message: /Http lifecycle hook \(\) .* invalid port number: none/,
  });
  await t.rejects(run({ httpGet: { port } }, ''), { message: /the pod has no address/ });
});

t.test('a pause, an interruption, and what is no handler', async (t) => {
  const { clock, run, controller } = setUp();
  let done = false;
  const slept = run({ sleep: { seconds: 5 } }).then(() => {
    done = true;
  });
  await clock.advanceAndRun(4999);
  t.notOk(done);
  clock.advance(1);
  await slept;
  const interrupted = run({ sleep: { seconds: 5 } });
  controller.abort();
  await t.rejects(interrupted, { code: 'Aborted' });
  await t.rejects(setUp().run({ tcpSocket: { port: 1 } }), { message: /failed - error: invalid handler/ });
});
