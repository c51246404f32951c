import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../src/base/clock.js';
import { silentLogger } from '../../../src/base/logger.js';
import { readKubeletOptions } from '../../../src/cli/kubelet-process.js';
import { runKubelet } from '../../../src/kubelet/kubelet.js';

t.test('it ends well while it waits for an engine', async (t) => {
  const folder = t.testdir({});
  const options = await readKubeletOptions({
    argv: [`--docker-endpoint=unix://${join(folder, 'absent.sock')}`, `--root-dir=${join(folder, 'root')}`],
    env: {},
    host: { hostname: 'node', nodeAddress: '127.0.0.1' } as Parameters<typeof readKubeletOptions>[0]['host'],
  });
  const controller = new AbortController();
  const said: string[] = [];
  const warn = (message: string) => {
    said.push(message);
    controller.abort(new Error('SIGTERM'));
  };
  await runKubelet(options, {
    env: {},
    clock: systemClock,
    logger: { ...silentLogger, warn },
    signal: controller.signal,
  });
  t.same(said, ['No engine answers yet'], 'it says once what it waits for');
});
