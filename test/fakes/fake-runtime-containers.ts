import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { Clock } from '../../src/base/clock.js';
import { HyperupError } from '../../src/base/errors.js';
import type {
  ContainerCreateBody,
  ContainerEvent,
  ContainerInspection,
  ContainerLogOptions,
  EngineImage,
  ProcessStreams,
  RunningExec,
  RuntimeEngine,
} from '../../src/docker/runtime-types.js';
import { type FakePipes, makeFakePipes, runFakeExec } from './fake-runtime-process.js';
import type { FakeExec, FakeRun } from './fake-runtime-types.js';

interface FakeContainer {
  inspection: ContainerInspection;
  readonly body: ContainerCreateBody;
  readonly log: { readonly stream: 'stdout' | 'stderr'; readonly line: string; readonly timeMs: number }[];
  run: FakeRun;
  /** Of the process that runs now, if one does. */
  process: AbortController;
  stdin: PassThrough;
  readonly attached: Set<FakePipes>;
}

type ContainerCalls = Pick<
  RuntimeEngine,
  | 'createContainer'
  | 'startContainer'
  | 'stopContainer'
  | 'killContainer'
  | 'removeContainer'
  | 'updateContainer'
  | 'inspectContainer'
  | 'listContainers'
  | 'startExec'
  | 'attachContainer'
  | 'resizeContainer'
  | 'containerLogs'
  | 'containerStats'
>;

/** What the containers of a fake engine take from their surroundings. */
export interface FakeContainersOptions {
  readonly clock: Clock;
  findImage(reference: string): EngineImage | undefined;
  nextRun(name: string, body: ContainerCreateBody): FakeRun;
  findExec(id: string, command: readonly string[]): FakeExec;
  emit(event: ContainerEvent): void;
}

export interface FakeRuntimeContainers {
  readonly calls: ContainerCalls;
  readonly all: () => readonly FakeContainer[];
  find(id: string): FakeContainer | undefined;
  exit(id: string, exitCode: number, oomKilled: boolean): void;
}

const noAddress = /^(host|none|container:.*)$/;

export function makeFakeRuntimeContainers(options: FakeContainersOptions): FakeRuntimeContainers {
  const { clock } = options;
  const containers = new Map<string, FakeContainer>();
  let made = 0;
  let execs = 0;

  const find = (id: string) =>
    containers.get(id) ?? [...containers.values()].find((each) => each.inspection.name === id.replace(/^\//, ''));
  const get = (action: string, id: string): FakeContainer => {
    const container = find(id);
    if (!container) throw new HyperupError('NotFound', `${action}: No such container: ${id}`);
    return container;
  };
  const isRunning = (container: FakeContainer) => container.inspection.status === 'running';
  const getRunning = (action: string, id: string): FakeContainer => {
    const container = get(action, id);
    if (!isRunning(container)) throw new HyperupError('Conflict', `${action}: Container ${id} is not running`);
    return container;
  };
  const change = (container: FakeContainer, changes: Partial<ContainerInspection>) => {
    container.inspection = { ...container.inspection, ...changes };
  };
  const emit = (container: FakeContainer, action: string) =>
    options.emit({ id: container.inspection.id, action, labels: container.inspection.labels, timeMs: clock.now() });
  const write = (container: FakeContainer, stream: 'stdout' | 'stderr', text: string) => {
    for (const line of text.replace(/\n$/, '').split('\n')) container.log.push({ stream, line, timeMs: clock.now() });
  };

  const finish = (container: FakeContainer, exitCode: number, oomKilled = false) => {
    if (!isRunning(container)) return;
    change(container, { status: 'exited', exitCode, oomKilled, pid: 0, ips: [], finishedAtMs: clock.now() });
    container.process.abort();
    for (const pipes of container.attached) pipes.finish();
    container.attached.clear();
    if (oomKilled) emit(container, 'oom');
    emit(container, 'die');
  };
  const execute = async (container: FakeContainer, run: FakeRun) => {
    const { signal } = container.process;
    const given = (stream: 'stdout' | 'stderr') => async (data: string | Buffer) => {
      write(container, stream, data.toString());
      await Promise.all([...container.attached].map((pipes) => pipes.io[stream](data)));
    };
    for (const { stream, line } of run.output ?? []) await given(stream)(`${line}\n`);
    const size = () => ({ width: 0, height: 0 });
    let exitCode = run.exitCode;
    if (run.main) {
      exitCode = await run.main({
        stdin: container.stdin,
        stdout: given('stdout'),
        stderr: given('stderr'),
        size,
        signal,
      });
    } else if (exitCode !== undefined && run.afterMs !== undefined) {
      await clock.sleep(run.afterMs, signal);
    }
    // A later process of the same container is not this one's to end.
    if (exitCode !== undefined && !signal.aborted) finish(container, exitCode, run.oomKilled);
  };

  const calls: ContainerCalls = {
    createContainer: async (name, body) => {
      const action = `create container ${name}`;
      const image = options.findImage(body.Image);
      if (!image) throw new HyperupError('NotFound', `${action}: No such image: ${body.Image}`);
      const holder = find(name)?.inspection.id;
      if (holder !== undefined) {
        throw new HyperupError('Conflict', `${action}: The container name "/${name}" is already in use`, {
          details: { status: 409, containerId: holder },
        });
      }
      made += 1;
      const id = createHash('sha256').update(`${name} ${made}`).digest('hex');
      const container: FakeContainer = {
        body,
        log: [],
        run: {},
        process: new AbortController(),
        stdin: new PassThrough(),
        attached: new Set(),
        inspection: {
          id,
          name,
          imageId: image.id,
          imageName: body.Image,
          labels: body.Labels ?? {},
          status: 'created',
          pid: 0,
          exitCode: 0,
          error: '',
          oomKilled: false,
          createdAtMs: clock.now(),
          startedAtMs: 0,
          finishedAtMs: 0,
          logPath: `/var/lib/docker/containers/${id}/${id}-json.log`,
          resolvConfPath: `/var/lib/docker/containers/${id}/resolv.conf`,
          networkMode: body.HostConfig.NetworkMode ?? 'default',
          ips: [],
          tty: body.Tty ?? false,
          openStdin: body.OpenStdin ?? false,
          stdinOnce: body.StdinOnce ?? false,
        },
      };
      containers.set(id, container);
      emit(container, 'create');
      return id;
    },
    startContainer: async (id) => {
      const container = get(`start container ${id}`, id);
      if (isRunning(container)) return;
      const run = options.nextRun(container.inspection.name, container.body);
      if (run.startError) {
        change(container, { exitCode: 127, error: run.startError.message });
        throw run.startError;
      }
      container.run = run;
      container.process = new AbortController();
      container.stdin = new PassThrough();
      const pid = 1000 + made;
      const ips = noAddress.test(container.inspection.networkMode) ? [] : [`172.17.0.${(pid % 250) + 2}`];
      change(container, {
        ...{ status: 'running', pid, ips, exitCode: 0, error: '', oomKilled: false },
        startedAtMs: clock.now(),
        finishedAtMs: 0,
      });
      emit(container, 'start');
      setImmediate(() => execute(container, run).catch(() => {}));
    },
    stopContainer: async (id, graceSeconds) => {
      const container = find(id);
      if (!container || !isRunning(container)) return;
      const { onTerm = 143 } = container.run;
      if (onTerm !== 'ignored') return finish(container, onTerm);
      await clock.sleep(graceSeconds * 1000, container.process.signal).catch(() => {});
      finish(container, 137);
    },
    killContainer: async (id, signal) => {
      const container = find(id);
      if (!container || !isRunning(container)) return;
      const { onTerm = 143 } = container.run;
      if (signal === 'SIGKILL') finish(container, 137);
      else if (signal === 'SIGTERM' && onTerm !== 'ignored') finish(container, onTerm);
    },
    removeContainer: async (id) => {
      const container = find(id);
      if (!container) return false;
      finish(container, 137);
      containers.delete(container.inspection.id);
      emit(container, 'destroy');
      return true;
    },
    updateContainer: async (id) => {
      get(`update the resources of container ${id}`, id);
    },
    inspectContainer: async (id) => find(id)?.inspection,
    listContainers: async (labels) =>
      [...containers.values()]
        .map(({ inspection }) => inspection)
        .filter((each) => labels.every((label) => hasLabel(each.labels, label)))
        .map(({ id, name, imageId, status, labels: own, createdAtMs }) => ({
          ...{ id, name, imageId, state: status, labels: own },
          createdAtMs: Math.floor(createdAtMs / 1000) * 1000,
        }))
        .reverse(),
    startExec: async (id, spec): Promise<RunningExec> => {
      const container = getRunning(`run ${spec.command[0] ?? ''} in container ${id}`, id);
      const exec = options.findExec(container.inspection.id, spec.command);
      const { signal } = container.process;
      const stdin = spec.stdin ? new PassThrough() : undefined;
      const pipes = makeFakePipes({ stdin, tty: spec.tty, signal });
      execs += 1;
      const pid = 5000 + execs;
      let running = true;
      const exitCode = runFakeExec(exec, pipes.io, clock).finally(() => {
        running = false;
        pipes.finish();
      });
      return {
        ...pipes.streams,
        execId: createHash('sha256').update(`exec ${execs}`).digest('hex'),
        resize: async (size) => pipes.resize(size),
        exitCode: async () => {
          await pipes.streams.ended;
          return exitCode;
        },
        pid: async () => (running ? pid : 0),
      };
    },
    attachContainer: async (id, { stdin, tty }): Promise<ProcessStreams> => {
      const container = getRunning(`attach to container ${id}`, id);
      const pipes = makeFakePipes({
        ...{ stdin: stdin && container.body.OpenStdin ? container.stdin : undefined, tty },
        signal: container.process.signal,
      });
      container.attached.add(pipes);
      return pipes.streams;
    },
    resizeContainer: async (id) => {
      getRunning(`resize the terminal of container ${id}`, id);
    },
    containerLogs: async (id, tty, logOptions) => readLog(get(`read the log of container ${id}`, id), tty, logOptions),
    containerStats: async (id) => {
      const container = find(id);
      if (!container || !isRunning(container)) return undefined;
      return {
        ...{ timeMs: clock.now(), cpuUsageNanoseconds: 1_000_000, processes: 1, pageFaults: 10, majorPageFaults: 0 },
        ...{ memoryUsageBytes: 2 ** 20, memoryWorkingSetBytes: 2 ** 19, memoryRssBytes: 2 ** 18 },
        networks: {},
      };
    },
  };

  function readLog(container: FakeContainer, tty: boolean, options_: ContainerLogOptions): ProcessStreams {
    const cut = new AbortController();
    const pipes = makeFakePipes({ tty, signal: cut.signal });
    const since = container.log.filter((each) => each.timeMs >= (options_.sinceMs ?? 0));
    const lines = options_.tail === undefined ? since : since.slice(Math.max(0, since.length - options_.tail));
    const give = async () => {
      for (const { stream, line, timeMs } of lines) {
        const stamp = options_.timestamps ? `${new Date(timeMs).toISOString().replace('Z', '000000Z')} ` : '';
        await pipes.io[stream](`${stamp}${line}\n`);
      }
      if (options_.follow && isRunning(container)) container.attached.add(pipes);
      else pipes.finish();
    };
    give().catch(() => {});
    options_.signal?.addEventListener('abort', () => pipes.streams.destroy(), { once: true });
    return pipes.streams;
  }

  return {
    calls,
    all: () => [...containers.values()],
    find,
    exit: (id, exitCode, oomKilled) => finish(get(`end container ${id}`, id), exitCode, oomKilled),
  };
}

/** By a label's key alone, or by `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, label: string): boolean {
  const equals = label.indexOf('=');
  return equals < 0 ? labels[label] !== undefined : labels[label.slice(0, equals)] === label.slice(equals + 1);
}
