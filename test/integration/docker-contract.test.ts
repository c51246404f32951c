import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { connectEngine } from '../../src/docker/connect.js';
import { makeTar } from '../fakes/fake-engine-tar.js';
import { describeEngineContract } from './docker-contract.js';

const busybox = '/bin/busybox';
if (!existsSync(busybox)) throw new Error(`${busybox} is missing: install the package busybox-static`);
const program = readFileSync(busybox);

const engine = await connectEngine({ env: process.env });
t.teardown(() => engine.close());

t.test('the real engine keeps the contract', (test) => {
  describeEngineContract(test, {
    engine,
    run: `r${process.pid}`,
    rootfs: () =>
      makeTar([
        { name: 'bin/busybox', content: program, mode: 0o755 },
        { name: 'bin/sh', link: 'busybox' },
      ]),
  });
  test.end();
});
