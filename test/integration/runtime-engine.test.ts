import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { connectEngine, connectRuntimeEngine } from '../../src/docker/connect.js';
import { makeTar } from '../fakes/fake-engine-tar.js';
import { describeRuntimeContract } from './runtime-engine-contract.js';

const busybox = '/bin/busybox';
if (!existsSync(busybox)) throw new Error(`${busybox} is missing: install the package busybox-static`);

const run = `r${process.pid}`;
const image = `hyperup-runtime-contract/${run}:1`;
const rootfs = () =>
  makeTar([
    { name: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
    { name: 'bin/sh', link: 'busybox' },
  ]);

const engine = await connectEngine({ env: process.env });
t.teardown(async () => {
  await engine.removeImage(image, { force: true });
  engine.close();
});
await engine.importImage(rootfs(), image, ['CMD ["/bin/sh"]']);

const runtime = await connectRuntimeEngine({ env: process.env });
t.teardown(() => runtime.close());

t.test('the real engine keeps the contract', (test) => {
  describeRuntimeContract(test, { engine: runtime, image, run });
  test.end();
});
