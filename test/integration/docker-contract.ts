import { Readable } from 'node:stream';
import type { Test } from 'tap';
import { type ErrorCode, HyperupError } from '../../src/base/errors.js';
import { compareApiVersions, floorApiVersion } from '../../src/docker/api-version.js';
import type { ContainerSpec, Engine } from '../../src/docker/types.js';
import { makeTar, readTar } from '../fakes/fake-engine-tar.js';
import { contractPrograms as programs } from './docker-contract-programs.js';

/** One engine to hold against the contract. */
export interface ContractSubject {
  readonly engine: Engine;
  /** The tar of a root file system that can run the contract's programs. */
  rootfs(): Readable;
  /** A word that no other run uses: it is in every name and label that the contract makes. */
  readonly run: string;
}

export const contractLabel = 'io.hyperup.test.contract';
/** A path that no engine under test may have. */
export const absentPath = '/nonexistent-in-the-contract';
/** What pulling, on every subject, can't reach. */
export const unreachableReference = 'registry.invalid/pause:3.2';

/** What every `Engine` must do, the fake as well as Docker's. Leaves nothing behind on the subject. */
export function describeEngineContract(t: Test, subject: ContractSubject): void {
  const { engine, run } = subject;
  const repository = `hyperup-contract/${run}`;
  const base = `${repository}/base:1`;
  const labels = { [contractLabel]: run };
  let containers = 0;

  const rejects = async (test: Test, code: ErrorCode, work: Promise<unknown>, message: string) => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    test.ok(error instanceof HyperupError, `${message}: is a HyperupError`);
    test.equal(error instanceof HyperupError ? error.code : error, code, message);
  };
  const specOf = (
    program: { readonly command: readonly string[] },
    more: Partial<ContainerSpec> = {},
  ): ContainerSpec => {
    containers += 1;
    const name = `hyperup-contract-${run}-${containers}`;
    return { name, image: base, command: program.command, labels, networkMode: 'none', ...more };
  };
  const start = async (program: { readonly command: readonly string[] }, more: Partial<ContainerSpec> = {}) => {
    const id = await engine.createContainer(specOf(program, more));
    await engine.startContainer(id);
    return id;
  };

  t.before(async () => {
    await engine.importImage(subject.rootfs(), base, ['CMD ["/bin/true"]', `LABEL ${contractLabel}=${run}`]);
  });

  t.afterEach(async () => {
    for (const { id } of await engine.listContainers({ labels: [`${contractLabel}=${run}`], all: true })) {
      await engine.removeContainer(id, { force: true });
    }
  });

  t.teardown(async () => {
    for (const { id } of await engine.listImages(labels)) await engine.removeImage(id, { force: true });
    const filter = { labels: [`${contractLabel}=${run}`], all: true };
    const left = [...(await engine.listImages(labels)), ...(await engine.listContainers(filter))];
    if (left.length > 0) throw new Error(`left on the engine: ${left.map(({ id }) => id).join(', ')}`);
  });

  t.test('the engine says what it is', async (test) => {
    const info = await engine.info();
    test.ok(compareApiVersions(info.apiVersion, floorApiVersion) >= 0, 'an API version that hyperup speaks');
    test.ok(compareApiVersions(info.apiVersion, info.maxApiVersion) <= 0, 'no newer than the engine');
    test.match(info.endpoint, /^unix:\/\//);
    test.ok(info.cpus > 0 && info.memoryBytes > 0, 'cores and memory');
    test.not(info.rootDir, '');
    await engine.ping();
  });

  t.test('an imported image is found by reference and by id', async (test) => {
    const image = await engine.inspectImage(base);
    test.match(image?.id ?? '', /^sha256:[0-9a-f]{64}$/);
    test.same(image?.tags, [base]);
    test.equal(image?.labels[contractLabel], run);
    test.equal(image?.architecture, 'amd64');
    test.ok((image?.sizeBytes ?? 0) > 0, 'has a size');
    test.not(Number.isNaN(Date.parse(image?.createdAt ?? '')), true, 'has a time');
    test.same(await engine.inspectImage(image?.id ?? ''), image);
  });

  t.test('images are listed by label', async (test) => {
    const all = await engine.listImages(labels);
    test.same(
      all.map((image) => image.tags),
      [[base]],
    );
    test.same(all[0], await engine.inspectImage(base), 'as inspected');
    test.same(await engine.listImages({ [contractLabel]: 'another-run' }), []);
    test.ok((await engine.listImages()).length >= 1, 'without labels, all');
  });

  t.test('an image that is not there', async (test) => {
    const absent = `${repository}/absent:1`;
    test.equal(await engine.inspectImage(absent), undefined);
    test.equal(await engine.removeImage(absent), false);
    await rejects(test, 'NotFound', engine.tagImage(absent, `${repository}/other:1`), 'tag');
    await rejects(test, 'NotFound', engine.createContainer(specOf(programs.quick, { image: absent })), 'create');
  });

  t.test('tags are put, moved and taken off one by one', async (test) => {
    const second = `${repository}/second:2`;
    const bare = `${repository}/bare`;
    await engine.tagImage(base, second);
    await engine.tagImage(second, second);
    await engine.tagImage(base, bare);
    const image = await engine.inspectImage(second);
    test.same([...(image?.tags ?? [])].sort(), [`${bare}:latest`, base, second].sort());
    await rejects(test, 'Conflict', engine.removeImage(image?.id ?? ''), 'an id with several tags');
    test.equal(await engine.removeImage(second), true);
    test.equal(await engine.removeImage(bare), true);
    test.equal(await engine.removeImage(second), false);
    test.same((await engine.inspectImage(base))?.tags, [base]);
    await rejects(test, 'InvalidConfig', engine.tagImage(base, 'Upper/Case:1'), 'a malformed reference');
  });

  t.test('a tag that moves leaves its first image', async (test) => {
    const moved = `${repository}/moved:1`;
    const other = await engine.importImage(subject.rootfs(), moved, [
      `LABEL ${contractLabel}=${run}`,
      'LABEL other=yes',
    ]);
    await engine.tagImage(base, moved);
    test.not((await engine.inspectImage(moved))?.id, other);
    test.same((await engine.inspectImage(other))?.tags, []);
    test.equal(await engine.removeImage(other), true, 'removed by id');
    test.equal(await engine.removeImage(moved), true);
  });

  t.test('saved images load again', async (test) => {
    const saved = `${repository}/saved:1`;
    const id = await engine.importImage(subject.rootfs(), saved, [`LABEL ${contractLabel}=${run}`, 'LABEL saved=yes']);
    const archive = await engine.saveImages([saved]);
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    await engine.removeImage(saved);
    test.equal(await engine.inspectImage(id), undefined);
    const lines: string[] = [];
    const loaded = await engine.loadImage(Readable.from(chunks, { objectMode: false }), {
      onLine: (line) => lines.push(line),
    });
    test.same(loaded, [saved]);
    test.match(lines.join('\n'), saved);
    test.equal((await engine.inspectImage(saved))?.id, id, 'the same image');
    await engine.removeImage(saved);
    await rejects(test, 'EngineFailed', engine.loadImage(makeTar([{ name: 'x', content: 'y' }])), 'not an archive');
  });

  t.test('a pull that cannot succeed rejects', async (test) => {
    await rejects(test, 'RegistryFailed', engine.pullImage(unreachableReference), 'no such registry');
    const aborted = AbortSignal.abort();
    await rejects(test, 'Aborted', engine.pullImage(unreachableReference, { signal: aborted }), 'an aborted signal');
    test.equal(await engine.inspectImage(unreachableReference), undefined);
  });

  t.test('a build gives an image, or its output', async (test) => {
    const built = `${repository}/built:1`;
    const broken = `${repository}/broken:1`;
    const lines: string[] = [];
    const context = makeTar([
      { name: 'Dockerfile', content: 'FROM scratch\nCOPY hello /hello\n' },
      { name: 'hello', content: 'hello' },
    ]);
    const id = await engine.buildImage(context, { tag: built, labels, onLine: (line) => lines.push(line) });
    const image = await engine.inspectImage(built);
    test.equal(image?.id, id);
    test.equal(image?.labels[contractLabel], run);
    test.match(lines.join('\n'), 'COPY hello /hello');
    await engine.removeImage(built);
    const bad = makeTar([{ name: 'Dockerfile', content: 'FROM scratch\nCOPY absent /\n' }]);
    await rejects(test, 'BuildFailed', engine.buildImage(bad, { tag: broken, labels }), 'a file that is not there');
    test.equal(await engine.inspectImage(broken), undefined);
  });

  t.test('a container from created to gone', async (test) => {
    const spec = specOf(programs.sleeper);
    const id = await engine.createContainer(spec);
    const filter = { labels: [`${contractLabel}=${run}`] };
    test.same(await engine.listContainers(filter), [], 'not listed before it runs');
    const [listed] = await engine.listContainers({ ...filter, all: true });
    test.match(listed, { id, name: spec.name, image: base, state: 'created' });
    test.equal(listed?.labels[contractLabel], run);
    await engine.startContainer(id);
    await engine.startContainer(spec.name);
    const details = await engine.inspectContainer(id);
    test.match(details, { id, name: spec.name, state: 'running', exitCode: 0, restartCount: 0, image: base });
    test.same(details?.command, spec.command);
    test.equal(details?.imageId, (await engine.inspectImage(base))?.id);
    test.ok((details?.pid ?? 0) > 0, 'has a process');
    test.same(await engine.inspectContainer(spec.name), details, 'the same by name');
    test.equal((await engine.listContainers(filter)).length, 1);
    test.same(
      await engine.listContainers({ labels: [`${contractLabel}=${run}`, 'absent'] }),
      [],
      'all labels must match',
    );
    await rejects(test, 'AlreadyExists', engine.createContainer(spec), 'the name is taken');
    await rejects(test, 'Conflict', engine.removeContainer(id), 'removal while it runs');
    await engine.stopContainer(id, 0);
    await engine.stopContainer(id, 0);
    test.match(await engine.inspectContainer(id), { state: 'exited', exitCode: 137, pid: 0 });
    test.equal(await engine.removeContainer(id), true);
    test.equal(await engine.removeContainer(id), false);
    test.equal(await engine.inspectContainer(id), undefined);
    await engine.stopContainer(id, 0);
    await rejects(test, 'NotFound', engine.startContainer(id), 'start');
    await rejects(test, 'NotFound', engine.killContainer(id), 'kill');
    await rejects(test, 'NotFound', engine.waitContainer(id), 'wait');
    await rejects(test, 'NotFound', engine.tailLogs(id, 1), 'logs');
    await rejects(test, 'NotFound', engine.execInContainer(id, programs.talker.command), 'exec');
  });

  t.test('a container that ends by itself', async (test) => {
    const id = await start(programs.talker);
    test.equal(await engine.waitContainer(id), 3);
    test.match(await engine.inspectContainer(id), { state: 'exited', exitCode: 3 });
    test.equal(await engine.tailLogs(id, 10), 'one\ntwo\nthree\n', 'in order of arrival');
    test.equal(await engine.tailLogs(id, 2), 'two\nthree\n', 'the last lines');
    const seen: string[] = [];
    await engine.followLogs(id, (line, stream) => seen.push(`${stream} ${line}`));
    test.same(seen, ['stdout one', 'stderr two', 'stdout three']);
    seen.length = 0;
    await engine.followLogs(id, (line, stream) => seen.push(`${stream} ${line}`), { tail: 1 });
    test.same(seen, ['stdout three']);
    await rejects(test, 'Conflict', engine.killContainer(id), 'kill when it is over');
    await rejects(test, 'Conflict', engine.execInContainer(id, programs.talker.command), 'exec when it is over');
    test.equal(await engine.removeContainer(id), true);
  });

  t.test('waits and logs end when told to', async (test) => {
    const id = await start(programs.sleeper);
    const waiting = new AbortController();
    const waited = engine.waitContainer(id, waiting.signal);
    waiting.abort();
    await rejects(test, 'Aborted', waited, 'wait');
    const following = new AbortController();
    await engine.followLogs(id, () => following.abort(), { signal: following.signal });
    test.ok(following.signal.aborted, 'a line came, and the signal ended it');
    const all = engine.waitContainer(id);
    await engine.killContainer(id);
    test.equal(await all, 137);
  });

  t.test('SIGTERM is heard before SIGKILL', async (test) => {
    const id = await start(programs.polite);
    await awaitLine(engine, id, 'ready');
    await engine.stopContainer(id, 20);
    test.match(await engine.inspectContainer(id), { state: 'exited', exitCode: 7 });
  });

  t.test('exec gives both streams whole and the exit code', async (test) => {
    const id = await start(programs.sleeper);
    test.same(await engine.execInContainer(id, programs.talker.command), {
      exitCode: 3,
      stdout: 'one\nthree\n',
      stderr: 'two\n',
    });
    const large = await engine.execInContainer(id, programs.large.command);
    test.equal(large.exitCode, 0);
    test.equal(large.stdout.length, programs.large.bytes, 'not a byte is cut off');
    test.ok(large.stdout.endsWith('x\n'), 'to the last one');
    const missing = await engine.execInContainer(id, programs.missing.command);
    test.ok([126, 127].includes(missing.exitCode), `a program that is not there: ${missing.exitCode}`);
    const hanging = engine.execInContainer(id, programs.sleeper.command, { timeoutMs: 300 });
    await rejects(test, 'Timeout', hanging, 'a time limit');
  });

  t.test('files go in and come out, also of a container that never ran', async (test) => {
    const id = await engine.createContainer(specOf(programs.quick));
    await engine.copyToContainer(id, '/bin', makeTar([{ name: 'note', content: 'of the contract' }]));
    test.same(await readTar(await engine.copyFromContainer(id, '/bin/note')), { '/note': 'of the contract' });
    await rejects(test, 'NotFound', engine.copyFromContainer(id, '/bin/absent'), 'a file that is not there');
  });

  t.test('a mount from a path that is not there is refused', async (test) => {
    const mounts = [{ source: absentPath, target: '/mnt' }];
    await rejects(test, 'EngineFailed', engine.createContainer(specOf(programs.quick, { mounts })), 'create');
  });

  t.test('mounts, environment and user reach the container', async (test) => {
    const mounts = [{ source: '/etc/hostname', target: '/note', readOnly: true }];
    const id = await start(programs.environment, { mounts, env: { GREETING: 'hello there' }, user: '1234' });
    test.equal(await engine.waitContainer(id), 0);
    test.equal(await engine.tailLogs(id, 5), 'hello there\n1234\n');
    test.match((await engine.inspectContainer(id))?.mounts, [{ ...mounts[0], propagation: 'rprivate' }]);
  });
}

/** Follows the log until a line appears. */
async function awaitLine(engine: Engine, id: string, wanted: string): Promise<void> {
  const seen = new AbortController();
  await engine.followLogs(id, (line) => line === wanted && seen.abort(), { signal: seen.signal });
  if (!seen.signal.aborted) throw new Error(`the container ended before it said ${wanted}`);
}
