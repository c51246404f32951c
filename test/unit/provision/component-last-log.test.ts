import t from 'tap';
import { podLabels } from '../../../src/provision/component-containers.js';
import { lastAttemptsLog } from '../../../src/provision/component-last-log.js';
import { makeFakeEngine } from '../../fakes/fake-engine.js';

interface Attempt {
  readonly says: readonly string[];
  /** Undefined: it runs on. */
  readonly exitCode?: number;
}

/** The log that is shown where etcd had these containers, one a second, the oldest first. */
async function logOf(attempts: readonly Attempt[], lines = 25): Promise<string | undefined> {
  let now = Date.UTC(2026, 0, 1);
  const engine = makeFakeEngine(() => now);
  engine.addImage('etcd:test');
  for (const [index, { says, exitCode }] of attempts.entries()) {
    now += 1000;
    const command = ['etcd', String(index)];
    engine.arrangeProgram(command, { exit: 'never', output: says.map((line) => ({ stream: 'stderr', line })) });
    const id = await engine.createContainer({
      name: `k8s_etcd_${index}`,
      image: 'etcd:test',
      command,
      labels: {
        [podLabels.dockerType]: 'container',
        [podLabels.podNamespace]: 'kube-system',
        [podLabels.containerName]: 'etcd',
        [podLabels.podName]: 'etcd-node-1',
      },
    });
    await engine.startContainer(id);
    if (exitCode !== undefined) engine.exitContainer(id, exitCode);
  }
  return lastAttemptsLog(engine, 'etcd', 'node-1', lines);
}

const full = 'panic: create WAL: no space left on device';

const cases: readonly { readonly name: string; readonly attempts: readonly Attempt[]; readonly shows?: string }[] = [
  { name: 'no container yet', attempts: [] },
  { name: 'one that has said nothing', attempts: [{ says: [] }] },
  { name: 'one attempt', attempts: [{ says: ['one', full], exitCode: 2 }], shows: `one\n${full}` },
  {
    name: 'the newest has said nothing yet',
    attempts: [{ says: [full], exitCode: 2 }, { says: [] }],
    shows: `an earlier attempt, ended with exit code 2:\n${full}`,
  },
  {
    name: 'the newest has only begun',
    attempts: [{ says: [full], exitCode: 2 }, { says: ['starting'] }],
    shows: `an earlier attempt, ended with exit code 2:\n${full}\nthe newest attempt, running:\nstarting`,
  },
  {
    name: 'the one before the newest counts, not the first',
    attempts: [
      { says: ['first'], exitCode: 1 },
      { says: ['second'], exitCode: 2 },
      { says: ['third'], exitCode: 3 },
    ],
    shows: 'an earlier attempt, ended with exit code 2:\nsecond\nthe newest attempt, exited:\nthird',
  },
  { name: 'only the newest has said anything', attempts: [{ says: [], exitCode: 1 }, { says: ['a'] }], shows: 'a' },
];

for (const { name, attempts, shows } of cases) {
  t.test(name, async (t) => t.equal(await logOf(attempts), shows));
}

t.test('each attempt has its own room', async (t) => {
  const says = Array.from({ length: 9 }, (_, index) => `line ${index}`);
  const log = await logOf([{ says: [full], exitCode: 2 }, { says }], 3);
  t.equal(
    log,
    `an earlier attempt, ended with exit code 2:\n${full}\nthe newest attempt, running:\nline 6\nline 7\nline 8`,
  );
});
