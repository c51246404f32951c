import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { type ErrorCode, HyperupError } from '../../src/base/errors.js';
import type { ContainerCreateBody, ContainerEvent, RuntimeEngine } from '../../src/docker/runtime-types.js';

/** One engine to hold against the contract. */
export interface RuntimeContractSubject {
  readonly engine: RuntimeEngine;
  /** Has busybox at /bin/busybox and /bin/sh, and no other use; the contract removes it at its end. */
  readonly image: string;
  /** A word that no other run uses. */
  readonly run: string;
}

export const runtimeContractLabel = 'io.hyperup.test.runtime-contract';

const shell = ['/bin/busybox', 'sh', '-c'];
/** More than all buffers between here and there hold at once. */
const largeBytes = 3 * 1024 * 1024;

/** What the contract runs; the fake arranges each. */
export const runtimePrograms = {
  /** As process 1 it has no handler for SIGTERM, so only SIGKILL ends it. */
  sleeper: [...shell, 'exec /bin/busybox sleep 300'],
  /** Ends with 7 on SIGTERM; says so when it can. */
  polite: [...shell, 'trap "exit 7" TERM; echo ready; while :; do /bin/busybox usleep 20000; done'],
  /** Two streams, in certain order, then code 3. */
  talker: [
    ...shell,
    'echo one; /bin/busybox usleep 50000; echo two >&2; /bin/busybox usleep 50000; echo three; exit 3',
  ],
  cat: ['/bin/busybox', 'cat'],
  /** Both streams at once, large, without input. */
  flood: [
    ...shell,
    `/bin/busybox head -c ${largeBytes} /dev/zero >&2 & /bin/busybox head -c ${largeBytes} /dev/zero; wait`,
  ],
  killed: [...shell, 'kill -9 $$'],
  /** Waits for its input's end, then goes on to speak. */
  lateSpeaker: [...shell, '/bin/busybox wc -c; /bin/busybox usleep 100000; echo late'],
  terminal: [...shell, 'read x; /bin/busybox stty size; echo err >&2'],
  missing: ['/bin/there-is-no-such-program'],
} as const;

/** What every `RuntimeEngine` must do, the fake as well as Docker's. Leaves nothing behind but what it was given. */
export function describeRuntimeContract(t: Test, { engine, image, run }: RuntimeContractSubject): void {
  const label = `${runtimeContractLabel}=${run}`;
  let made = 0;
  const nameOf = () => {
    made += 1;
    return `hyperup-runtime-${run}-${made}`;
  };
  const bodyOf = (command: readonly string[], more: Partial<ContainerCreateBody> = {}): ContainerCreateBody => ({
    Image: image,
    Entrypoint: command,
    Labels: { [runtimeContractLabel]: run },
    HostConfig: { NetworkMode: 'none', RestartPolicy: { Name: 'no' } },
    ...more,
  });
  const start = async (command: readonly string[], more: Partial<ContainerCreateBody> = {}) => {
    const id = await engine.createContainer(nameOf(), bodyOf(command, more));
    await engine.startContainer(id);
    return id;
  };
  const exited = async (id: string) => {
    for (;;) {
      const inspection = await engine.inspectContainer(id);
      if (inspection?.status !== 'running') return inspection;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const rejects = async (test: Test, code: ErrorCode, work: Promise<unknown>, message: string) => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    test.equal(error instanceof HyperupError ? error.code : error, code, message);
    return error instanceof HyperupError ? error : undefined;
  };

  t.afterEach(async () => {
    for (const { id } of await engine.listContainers([label])) await engine.removeContainer(id);
  });

  t.test('a container from created to gone', async (test) => {
    const name = nameOf();
    const body = bodyOf(runtimePrograms.sleeper, {
      Labels: { [runtimeContractLabel]: run, 'io.example/name': 'a=b' },
    });
    const before = Date.now();
    const id = await engine.createContainer(name, body);
    const created = await engine.inspectContainer(id);
    test.match(created, { id, name, status: 'created', pid: 0, exitCode: 0, startedAtMs: 0, finishedAtMs: 0 });
    test.match(created, { imageName: image, networkMode: 'none', tty: false, openStdin: false, error: '' });
    test.same(created?.labels, body.Labels);
    test.ok(Math.abs((created?.createdAtMs ?? 0) - before) < 10_000, 'made now');
    const taken = await rejects(test, 'Conflict', engine.createContainer(name, body), 'the name is taken');
    test.equal(taken?.details.containerId, id, 'by whom');
    await engine.startContainer(id);
    await engine.startContainer(id);
    const running = await engine.inspectContainer(id);
    test.match(running, { status: 'running', finishedAtMs: 0, oomKilled: false, ips: [] });
    test.ok((running?.pid ?? 0) > 0 && (running?.startedAtMs ?? 0) >= (running?.createdAtMs ?? 0), 'it runs');
    test.match(running?.logPath, id, 'its log');
    test.equal(running?.imageId, (await engine.inspectImage(image))?.id);
    const listed = await engine.listContainers([label]);
    test.match(listed, [{ id, name, state: 'running', imageId: running?.imageId, labels: body.Labels }]);
    test.ok(Math.abs((listed[0]?.createdAtMs ?? 0) - (created?.createdAtMs ?? 0)) <= 1000);
    test.equal((await engine.listContainers([label, 'io.example/name=a=b'])).length, 1, 'every label');
    test.same(await engine.listContainers([label, 'absent']), [], 'every label must match');
    await engine.killContainer(id, 'SIGKILL');
    const dead = await exited(id);
    test.match(dead, { status: 'exited', exitCode: 137, pid: 0 });
    test.ok((dead?.finishedAtMs ?? 0) >= (running?.startedAtMs ?? 0), 'it has ended');
    await engine.killContainer(id, 'SIGKILL');
    await engine.stopContainer(id, 0);
    test.equal((await engine.listContainers([label]))[0]?.state, 'exited');
    test.equal(await engine.removeContainer(id), true);
    test.equal(await engine.removeContainer(id), false);
    test.equal(await engine.inspectContainer(id), undefined);
    test.equal(await engine.containerStats(id), undefined);
    await engine.stopContainer(id, 0);
    await engine.killContainer(id, 'SIGTERM');
    const exec = { command: runtimePrograms.cat, stdin: false, tty: false };
    await rejects(test, 'NotFound', engine.startContainer(id), 'start');
    await rejects(test, 'NotFound', engine.startExec(id, exec), 'exec');
    await rejects(test, 'NotFound', engine.attachContainer(id, { stdin: false, tty: false }), 'attach');
    await rejects(test, 'NotFound', engine.containerLogs(id, false, {}), 'logs');
  });

  t.test('how it ends', async (test) => {
    const polite = await start(runtimePrograms.polite);
    const logs = await engine.containerLogs(polite, false, { follow: true });
    for await (const chunk of logs.stdout) if (String(chunk).includes('ready')) break;
    await engine.stopContainer(polite, 20);
    test.match(await engine.inspectContainer(polite), { status: 'exited', exitCode: 7 });
    const sleeper = await start(runtimePrograms.sleeper);
    await engine.stopContainer(sleeper, 0);
    test.match(await engine.inspectContainer(sleeper), { status: 'exited', exitCode: 137 });
    await rejects(
      test,
      'Conflict',
      engine.startExec(sleeper, { command: runtimePrograms.cat, stdin: false, tty: false }),
      'exec where nothing runs',
    );
    const gone = await start(runtimePrograms.sleeper);
    test.equal(await engine.removeContainer(gone), true, 'removed while it ran');
    await rejects(
      test,
      'NotFound',
      engine.createContainer(nameOf(), bodyOf(runtimePrograms.cat, { Image: `absent-${run}:1` })),
      'no such image',
    );
  });

  t.test('addresses are of its networks, while it runs', async (test) => {
    const id = await start(runtimePrograms.sleeper, { HostConfig: { NetworkMode: 'default' } });
    test.match((await engine.inspectContainer(id))?.ips[0], /^\d+\.\d+\.\d+\.\d+$/);
    await engine.stopContainer(id, 0);
    test.same((await engine.inspectContainer(id))?.ips, []);
  });

  t.test('events, in order, of those with the label', async (test) => {
    const stop = new AbortController();
    const seen: ContainerEvent[] = [];
    const watch = (async () => {
      for await (const event of engine.containerEvents([label], stop.signal)) {
        seen.push(event);
        if (event.action === 'destroy') stop.abort();
      }
    })();
    const over = rejects(test, 'Aborted', watch, 'its end');
    // The first question of the watch is on its way; an engine answers in order of arrival, but not across connections.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const id = await start(runtimePrograms.sleeper);
    await engine.killContainer(id, 'SIGKILL');
    await exited(id);
    await engine.removeContainer(id);
    await over;
    test.same(
      seen.map(({ action }) => action),
      ['create', 'start', 'die', 'destroy'],
    );
    for (const event of seen) {
      test.equal(event.id, id);
      test.equal(event.labels[runtimeContractLabel], run);
      test.ok(Math.abs(event.timeMs - Date.now()) < 10_000, 'now');
    }
  });

  t.test('exec: input comes back whole, then its end, and the exit code', async (test) => {
    const id = await start(runtimePrograms.sleeper);
    const exec = await engine.startExec(id, { command: runtimePrograms.cat, stdin: true, tty: false });
    // The engine gives the streams before it starts the process.
    while ((await exec.pid()) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const input = Buffer.alloc(largeBytes, 'hyperup ');
    exec.stdin?.end(input);
    const [out, err] = await Promise.all([readAll(exec.stdout), text(exec.stderr)]);
    test.ok(out.equals(input), 'every byte, both ways');
    test.equal(err, '');
    await exec.ended;
    test.equal(await exec.exitCode(), 0);
    test.equal(await exec.pid(), 0, 'no process any more');
  });

  t.test('exec: streams, codes, and what comes after the end of input', async (test) => {
    const id = await start(runtimePrograms.sleeper);
    const cases = [
      { command: runtimePrograms.talker, code: 3, out: 'one\nthree\n', err: 'two\n' },
      { command: runtimePrograms.killed, code: 137, out: '', err: '' },
    ];
    for (const { command, code, out, err } of cases) {
      const exec = await engine.startExec(id, { command, stdin: false, tty: false });
      test.equal(exec.stdin, undefined);
      test.same(await Promise.all([text(exec.stdout), text(exec.stderr), exec.exitCode()]), [out, err, code]);
    }
    const late = await engine.startExec(id, { command: runtimePrograms.lateSpeaker, stdin: true, tty: false });
    late.stdin?.end('12345');
    late.stderr.resume();
    test.equal(await text(late.stdout), '5\nlate\n');
    test.equal(await late.exitCode(), 0);
    const missing = await engine.startExec(id, { command: runtimePrograms.missing, stdin: false, tty: false });
    missing.stdout.resume();
    missing.stderr.resume();
    test.ok([126, 127].includes(await missing.exitCode()), 'no such program');
  });

  t.test('exec: a reader that rests holds the process, and loses nothing', async (test) => {
    const id = await start(runtimePrograms.sleeper);
    const exec = await engine.startExec(id, { command: runtimePrograms.flood, stdin: false, tty: false });
    exec.stdout.resume();
    await new Promise((resolve) => setTimeout(resolve, 300));
    test.ok(exec.stderr.readableLength < 512 * 1024, `${exec.stderr.readableLength} bytes wait`);
    test.equal((await readAll(exec.stderr)).length, largeBytes);
    await exec.ended;
    test.equal(await exec.exitCode(), 0);
  });

  t.test('exec: cut by the caller', async (test) => {
    const id = await start(runtimePrograms.sleeper);
    const exec = await engine.startExec(id, { command: runtimePrograms.sleeper, stdin: true, tty: false });
    exec.destroy();
    await rejects(test, 'Aborted', exec.ended, 'ended');
    await rejects(test, 'Aborted', text(exec.stdout), 'stdout');
  });

  t.test('exec: a terminal, and its size', async (test) => {
    const id = await start(runtimePrograms.sleeper);
    const exec = await engine.startExec(id, { command: runtimePrograms.terminal, stdin: true, tty: true });
    await exec.resize({ width: 101, height: 33 });
    exec.stdin?.write('go\n');
    exec.stderr.resume();
    const out = await text(exec.stdout);
    test.match(out, /33 101/);
    test.match(out, /err\r?\n/, 'everything is on stdout');
    test.equal(await exec.exitCode(), 0);
  });

  t.test('attach: to input and output of the container itself', async (test) => {
    const id = await start(runtimePrograms.cat, { OpenStdin: true, StdinOnce: true });
    test.match(await engine.inspectContainer(id), { openStdin: true, stdinOnce: true, tty: false });
    const streams = await engine.attachContainer(id, { stdin: true, tty: false });
    const input = Buffer.alloc(largeBytes, 'attached\n');
    streams.stdin?.end(input);
    streams.stderr.resume();
    test.ok((await readAll(streams.stdout)).equals(input), 'every byte, both ways');
    await streams.ended;
    test.match(await exited(id), { status: 'exited', exitCode: 0 }, 'its input ended');
  });

  t.test('logs: both streams, the last lines, times, and to the end', async (test) => {
    const id = await start(runtimePrograms.talker);
    const followed = await engine.containerLogs(id, false, { follow: true });
    test.same(await Promise.all([text(followed.stdout), text(followed.stderr)]), ['one\nthree\n', 'two\n']);
    await followed.ended;
    const tail = await engine.containerLogs(id, false, { tail: 1, timestamps: true });
    tail.stderr.resume();
    test.match(await text(tail.stdout), /^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/);
    const later = await engine.containerLogs(id, false, { sinceMs: Date.now() + 60_000 });
    test.same(await Promise.all([text(later.stdout), text(later.stderr)]), ['', ''], 'nothing since then');
    const sleeper = await start(runtimePrograms.sleeper);
    const stop = new AbortController();
    const endless = await engine.containerLogs(sleeper, false, { follow: true, signal: stop.signal });
    stop.abort();
    await rejects(test, 'Aborted', endless.ended, 'by its signal');
  });

  t.test('statistics of what runs', async (test) => {
    const id = await start(runtimePrograms.sleeper);
    const stats = await engine.containerStats(id);
    test.ok((stats?.memoryUsageBytes ?? 0) >= (stats?.memoryWorkingSetBytes ?? 1), 'memory');
    test.ok((stats?.processes ?? 0) >= 1 && (stats?.cpuUsageNanoseconds ?? 0) > 0, 'processes and cores');
    await engine.updateContainer(id, { CpuShares: 512 });
    await engine.stopContainer(id, 0);
    test.equal(await engine.containerStats(id), undefined);
  });

  t.test('the engine and its images', async (test) => {
    const info = await engine.info();
    test.ok(info.cpus > 0 && info.memoryBytes > 0 && info.rootDir !== '' && info.runtimes.length > 0);
    test.match(engine.apiVersion, /^1\.\d+$/);
    test.ok(info.runtimes.includes(info.defaultRuntime), 'the default runtime is one of them');
    const bridge = await engine.bridgeNetwork();
    if (bridge) test.match(bridge, { link: /^\S+$/, subnet: /^\d+(\.\d+){3}\/\d+$/, mtu: Number, ipv6: Boolean });
    const found = await engine.inspectImage(image);
    test.match(found, { tags: [image], user: '' });
    test.match(found?.id, /^sha256:[0-9a-f]{64}$/);
    test.same(await engine.inspectImage(found?.id ?? ''), found, 'by its id');
    const listed = (await engine.listImages()).find(({ id }) => id === found?.id);
    test.match(listed, { tags: [image], sizeBytes: found?.sizeBytes ?? -1 });
    test.ok((await engine.imageDiskUsage()) >= (found?.sizeBytes ?? 0), 'disk usage');
    test.equal(await engine.inspectImage(`absent-${run}:1`), undefined);
    test.equal(await engine.removeImage(`absent-${run}:1`), false);
    await start(runtimePrograms.sleeper);
    await rejects(test, 'Conflict', engine.removeImage(image), 'while a container uses it');
  });

  t.test('an image goes with all its names', async (test) => {
    const { id = '' } = (await engine.inspectImage(image)) ?? {};
    test.equal(await engine.removeImage(id), true);
    test.equal(await engine.removeImage(id), false);
    test.equal(await engine.inspectImage(image), undefined);
  });
}

async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
