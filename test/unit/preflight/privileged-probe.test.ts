import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { HyperupError } from '../../../src/base/errors.js';
import {
  engineMissingCapabilities,
  missingCapabilities,
  provePrivileged,
} from '../../../src/preflight/privileged-probe.js';
import { makeProbeProgram, probePath } from '../../../src/preflight/probe-image.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';
import { makeHost, makeTempDir } from '../host/support.js';

const info = { architecture: 'x86_64' };

t.test('the program is one that this machine runs', async (t) => {
  const names: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };
  const program = makeProbeProgram(names[arch()] ?? arch());
  if (!program) return t.comment(`no program for ${arch()}`);
  const path = join(await makeTempDir(t), 'probe');
  await writeFile(path, program);
  await chmod(path, 0o755);
  await t.resolves(promisify(execFile)(path));
});

t.test('the same by Docker’s and by Go’s names of architectures; none for the others', async (t) => {
  t.same(makeProbeProgram('amd64'), makeProbeProgram('x86_64'));
  t.same(makeProbeProgram('arm64'), makeProbeProgram('aarch64'));
  t.equal(makeProbeProgram('s390x'), undefined);
});

t.test('a container that was run is the proof; nothing is left of it', async (t) => {
  const engine = makeFakeEngine();
  engine.arrangeProgram([probePath], { exit: 0 });
  t.same(await provePrivileged(engine, info, '1'), { runs: 'yes', message: '' });
  t.same(await engine.listImages(), []);
  t.same(await engine.listContainers({ all: true }), []);
  const created = engine.calls.find(({ call }) => call === 'createContainer');
  t.match(created?.args[0], {
    privileged: true,
    networkMode: 'none',
    labels: { 'io.hyperup.managed': 'true', 'io.hyperup.role': 'preflight' },
  });
});

t.test('whatever goes wrong is the answer, and nothing is left either', async (t) => {
  const refused = new HyperupError('EngineFailed', 'unable to apply caps: operation not permitted');
  const cases = [
    { name: 'start refused', fail: 'startContainer', exit: 0, runs: 'no', message: /unable to apply caps/ },
    { name: 'create refused', fail: 'createContainer', exit: 0, runs: 'no', message: /unable to apply caps/ },
    { name: 'it fails', fail: undefined, exit: 139, runs: 'no', message: /exited with 139/ },
    { name: 'no image can be made', fail: 'importImage', exit: 0, runs: 'unproven', message: /not tried: unable/ },
  ] as const;
  for (const { name, fail, exit, runs, message } of cases) {
    const engine = makeFakeEngine();
    engine.arrangeProgram([probePath], { exit });
    if (fail) engine.failNext(fail, refused);
    t.match(await provePrivileged(engine, info, '1'), { runs, message }, name);
    t.same(
      [...(await engine.listImages()), ...(await engine.listContainers({ all: true }))],
      [],
      `${name}: nothing is left`,
    );
  }
});

t.test('an architecture without a program is not tried', async (t) => {
  const engine = makeFakeEngine();
  t.match(await provePrivileged(engine, { architecture: 's390x' }, '1'), { runs: 'unproven', message: /s390x/ });
  t.same(engine.calls, []);
});

t.test('what a bounding set lacks', async (t) => {
  const cases = [
    { set: '000001ffffffffff', last: 40, missing: [] },
    { set: '000001fffeffffff', last: 40, missing: ['CAP_SYS_RESOURCE'] },
    { set: '00000000a80425fb', last: 3, missing: ['CAP_DAC_READ_SEARCH'] },
    { set: '0000003fffffffff', last: 37, missing: [] },
    { set: '000001ffffffffff', last: 41, missing: ['CAP_41'] },
  ];
  for (const { set, last, missing } of cases) t.same(missingCapabilities(set, last), missing, set);
  const stat = '5 (dockerd) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n';
  const host = await makeHost(t, {
    '/proc/5/stat': stat,
    '/proc/5/status': 'Name:\tdockerd\nCapBnd:\t000001fffeffffff\n',
    '/proc/sys/kernel/cap_last_cap': '40\n',
  });
  t.same(await engineMissingCapabilities(host), ['CAP_SYS_RESOURCE']);
  t.same(await engineMissingCapabilities(await makeHost(t, {})), []);
});
