import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Logger, silentLogger } from '../../../../src/base/logger.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import type { ReflectorChange } from '../../../../src/kube/reflector.js';
import { createFilePodSource } from '../../../../src/kubelet/sources/file-pod-source.js';
import { makeManualClock } from '../../../fakes/manual-clock.js';

const manifest = (name: string, image = 'app:1') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: app, image: "${image}"}]}\n`;

/** All of it at one time: a scan of this clock can come between an opened file and its content. */
async function put(path: string, text: string): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.new`);
  await writeFile(aside, text);
  await rename(aside, path);
}

/** A source on a folder; scans happen when the test says so, beside those that the file system asks for. */
function scene(t: Test, files: Record<string, string>) {
  const root = t.testdir({ manifests: files, outside: { 'evil.yaml': manifest('evil') } });
  const folder = join(root, 'manifests');
  const clock = makeManualClock(Date.now() + 60_000);
  const seen: string[] = [];
  const lines: string[] = [];
  const pods = new Map<string, V1Pod>();
  let waiting: (() => void)[] = [];
  const note = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    void lines.push(`${level}: ${message}: ${fields?.['file'] ?? fields?.['path']} ${fields?.['err'] ?? ''}`);
  const logger: Logger = { ...silentLogger, info: note('info'), error: note('error') };
  const make = (path = folder) =>
    createFilePodSource({
      path,
      nodeName: 'Node-1',
      clock,
      logger,
      onPods(change: ReflectorChange<V1Pod>) {
        const nameOf = ({ metadata }: V1Pod) => metadata?.name ?? '';
        if (change.type === 'replaced') seen.push(`= ${change.objects.map(nameOf).join()}`);
        else seen.push(`${change.type} ${nameOf(change.object)}`);
        for (const pod of change.type === 'replaced' ? change.objects : [change.object]) pods.set(nameOf(pod), pod);
        for (const wake of waiting) wake();
        waiting = [];
      },
    });
  const source = make();
  t.teardown(() => source.stop());
  /** Lets time pass until that many changes were reported. */
  const until = async (count: number) => {
    while (seen.length < count) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(20_000);
    }
    return seen.splice(0);
  };
  /** Some whole scans. */
  const scans = async () => {
    const before = clock.sleeps.length;
    while (clock.sleeps.length < before + 4) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(20_000);
    }
  };
  return { root, folder, source, make, seen, lines, pods, until, scans };
}

t.test('good files, bad files and what is passed over', async (t) => {
  const { folder, root, source, lines, until, scans, seen } = scene(t, {
    'a.yaml': manifest('a'),
    'b.json': JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'b' },
      spec: { containers: [{ name: 'x', image: 'i' }] },
    }),
    '.c.yaml.swp': manifest('c'),
    'd.yaml': 'kind: [',
    'e.yaml': 'apiVersion: apps/v1\nkind: Deployment\n',
    'f.yaml': manifest('a', 'other'),
    'g.yaml': `# ${'x'.repeat(5_000_000)}\n${manifest('g')}`,
    'h.yaml': manifest('../h'),
  });
  await symlink('../outside/evil.yaml', join(folder, 'i.yaml'));
  await symlink('a.yaml', join(folder, 'j.yaml'));
  await mkdir(join(folder, 'k.yaml'));
  source.start();
  await source.synced;
  t.strictSame(seen.splice(0), ['= a-node-1,b-node-1']);
  const errors = lines.splice(0).map((line) => line.replace(`${root}/manifests/`, ''));
  const wanted: [string, RegExp][] = [
    ['d.yaml', /neither YAML nor JSON/],
    ['e.yaml', /apiVersion: want v1; kind: want Pod/],
    ['f.yaml', /another file has its pod/],
    ['g.yaml', /5000\d+ bytes, want at most 1048576/],
    ['h.yaml', /metadata\.name: want/],
    ['i.yaml', /leads out of the folder/],
    ['j.yaml', /another file has its pod/],
  ];
  t.equal(errors.length, wanted.length, 'one line a file');
  for (const [file, reason] of wanted)
    t.ok(
      errors.some((line) => line.includes(` ${file} `) && reason.test(line)),
      file,
    );
  await scans();
  t.strictSame([lines, seen], [[], []], 'nothing is said twice');
  await rm(join(folder, 'a.yaml'));
  t.strictSame(await until(2), ['deleted a-node-1', 'added a-node-1'], 'the next one of that name');
});

t.test('changes', async (t) => {
  const { folder, source, until, pods, lines, scans, seen } = scene(t, { 'a.yaml': manifest('a') });
  source.start();
  t.strictSame(await until(1), ['= a-node-1']);
  const first = pods.get('a-node-1')?.metadata;
  await put(join(folder, 'b.yaml'), manifest('b'));
  t.strictSame(await until(1), ['added b-node-1']);
  await put(join(folder, 'a.yaml'), manifest('a', 'app:2'));
  t.strictSame(await until(2), ['deleted a-node-1', 'added a-node-1'], 'another pod');
  t.not(pods.get('a-node-1')?.metadata?.uid, first?.uid);
  await put(join(folder, 'a.yaml'), 'kind: P');
  await scans();
  t.strictSame(seen, [], 'the last good version runs on');
  t.equal(lines.filter((line) => line.startsWith('error')).length, 1);
  await put(join(folder, 'a.yaml'), manifest('a', 'app:2'));
  await scans();
  t.strictSame(seen, [], 'the same again');
  await rename(join(folder, 'a.yaml'), join(folder, '.a.yaml'));
  t.strictSame(await until(1), ['deleted a-node-1']);
  await source.stop();
  await put(join(folder, 'z.yaml'), manifest('z'));
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(seen, []);
});

t.test('a UID of its own: the same pod, modified', async (t) => {
  const own = (image: string) => manifest('a', image).replace('{name: a}', '{name: a, uid: abc-1}');
  const { folder, source, until, pods } = scene(t, { 'a.yaml': own('app:1') });
  source.start();
  await until(1);
  await put(join(folder, 'a.yaml'), own('app:2'));
  t.strictSame(await until(1), ['modified a-node-1']);
  t.match(pods.get('a-node-1'), { metadata: { uid: 'abc-1' }, spec: { containers: [{ image: 'app:2' }] } });
});

t.test('a folder that comes later, and one file', async (t) => {
  const { root, make, until } = scene(t, {});
  const path = join(root, 'later');
  const source = make(path);
  t.teardown(() => source.stop());
  source.start();
  t.strictSame(await until(1), ['= '], 'none is an answer');
  await mkdir(path);
  await put(join(path, 'a.yaml'), manifest('a'));
  t.strictSame(await until(1), ['added a-node-1']);
  const single = make(join(root, 'outside', 'evil.yaml'));
  t.teardown(() => single.stop());
  single.start();
  t.strictSame(await until(1), ['= evil-node-1']);
});
