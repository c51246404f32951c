import { createHash } from 'node:crypto';
import { basename, posix } from 'node:path';
import { HyperupError } from '../../src/base/errors.js';
import type { ContainerDetails, ContainerEngine, ContainerSpec, ContainerSummary } from '../../src/docker/types.js';
import type { FakeImages } from './fake-engine-images.js';
import { makeTar, readTar } from './fake-engine-tar.js';
import type { FakeProgram } from './fake-engine-types.js';

interface FakeContainer {
  details: ContainerDetails;
  readonly spec: ContainerSpec;
  readonly files: Map<string, string>;
  readonly log: { stream: 'stdout' | 'stderr'; line: string }[];
  program: FakeProgram | undefined;
  readonly onExit: Set<() => void>;
}

/** The containers of a fake engine. */
export interface FakeContainers {
  readonly calls: ContainerEngine;
  readonly programs: Map<string, FakeProgram>;
  readonly absentPaths: Set<string>;
  usesImage(id: string): boolean;
  exit(id: string, exitCode: number): void;
}

export function makeFakeContainers(images: FakeImages, now: () => number): FakeContainers {
  const containers = new Map<string, FakeContainer>();
  const programs = new Map<string, FakeProgram>();
  const absentPaths = new Set<string>();
  let made = 0;

  const find = (id: string) =>
    containers.get(id) ?? [...containers.values()].find((each) => each.details.name === id.replace(/^\//, ''));
  const get = (action: string, id: string): FakeContainer => {
    const container = find(id);
    if (!container) throw new HyperupError('NotFound', `${action}: No such container: ${id}`);
    return container;
  };
  const programOf = (command: readonly string[]): FakeProgram => {
    const program = programs.get(JSON.stringify(command));
    if (!program) throw new Error(`fake engine: no program was arranged for ${JSON.stringify(command)}`);
    return program;
  };
  const setState = (container: FakeContainer, changes: Partial<ContainerDetails>) => {
    container.details = { ...container.details, ...changes };
  };
  const finish = (container: FakeContainer, exitCode: number) => {
    setState(container, { state: 'exited', exitCode, pid: 0, finishedAt: new Date(now()).toISOString() });
    for (const each of [...container.onExit]) each();
  };
  const running = (container: FakeContainer) => container.details.state === 'running';
  const exited = (container: FakeContainer, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const abort = () => reject(new HyperupError('Aborted', 'wait for container: interrupted'));
      if (signal?.aborted) return abort();
      if (!running(container)) return resolve();
      container.onExit.add(resolve);
      signal?.addEventListener('abort', abort);
    });

  const calls: ContainerEngine = {
    createContainer: async (spec) => {
      const action = `create container ${spec.name}`;
      const image = images.find(spec.image);
      if (!image) throw new HyperupError('NotFound', `${action}: No such image: ${spec.image}`);
      if (find(spec.name)) throw new HyperupError('AlreadyExists', `${action}: the name is already in use`);
      const absent = spec.mounts?.find((mount) => absentPaths.has(mount.source));
      if (absent) {
        throw new HyperupError('EngineFailed', `${action}: bind source path does not exist: ${absent.source}`);
      }
      made += 1;
      const id = createHash('sha256').update(`${spec.name} ${made}`).digest('hex');
      const command = [...(spec.entrypoint ?? []), ...(spec.command.length > 0 ? spec.command : image.command)];
      containers.set(id, {
        spec,
        files: new Map(image.files),
        log: [],
        program: undefined,
        onExit: new Set(),
        details: {
          id,
          name: spec.name,
          image: spec.image,
          imageId: image.summary.id,
          state: 'created',
          labels: { ...image.summary.labels, ...spec.labels },
          createdAt: new Date(now()).toISOString(),
          pid: 0,
          exitCode: 0,
          error: '',
          oomKilled: false,
          startedAt: '0001-01-01T00:00:00Z',
          finishedAt: '0001-01-01T00:00:00Z',
          restartCount: 0,
          command,
          mounts: (spec.mounts ?? []).map((mount) => ({ readOnly: false, propagation: 'rprivate', ...mount })),
        },
      });
      return id;
    },
    startContainer: async (id) => {
      const container = get(`start container ${id}`, id);
      if (running(container)) return;
      const program = programOf(container.details.command);
      container.program = program;
      setState(container, { state: 'running', pid: 1000 + made, startedAt: new Date(now()).toISOString() });
      container.log.push(...(program.output ?? []));
      const { exit } = program;
      if (exit !== 'never') setImmediate(() => running(container) && finish(container, exit));
    },
    stopContainer: async (id) => {
      const container = find(id);
      if (!container || !running(container)) return;
      const onTerm = container.program?.onTerm ?? 143;
      finish(container, onTerm === 'ignored' ? 137 : onTerm);
    },
    killContainer: async (id, signal = 'SIGKILL') => {
      const action = `send ${signal} to container ${id}`;
      const container = get(action, id);
      if (!running(container)) throw new HyperupError('Conflict', `${action}: the container is not running`);
      if (signal === 'SIGKILL') finish(container, 137);
      else if (signal === 'SIGTERM' && container.program?.onTerm !== 'ignored') {
        finish(container, container.program?.onTerm ?? 143);
      }
    },
    removeContainer: async (id, options) => {
      const container = find(id);
      if (!container) return false;
      if (running(container) && !options?.force) {
        throw new HyperupError('Conflict', `remove container ${id}: cannot remove a running container`);
      }
      if (running(container)) finish(container, 137);
      containers.delete(container.details.id);
      return true;
    },
    inspectContainer: async (id) => find(id)?.details,
    listContainers: async (filter = {}) =>
      [...containers.values()]
        .map((container) => container.details)
        .filter((each) => filter.all || each.state === 'running')
        .filter((each) => (filter.labels ?? []).every((label) => hasLabel(each, label)))
        .map(({ id, name, image, imageId, state, labels, createdAt }) => ({
          ...{ id, name, image, imageId, state, labels, createdAt },
        })),
    waitContainer: async (id, signal) => {
      const container = get(`wait for container ${id}`, id);
      await exited(container, signal);
      return container.details.exitCode;
    },
    tailLogs: async (id, lines) =>
      get(`read the log of container ${id}`, id)
        .log.slice(-lines)
        .map(({ line }) => `${line}\n`)
        .join(''),
    followLogs: async (id, onLine, options = {}) => {
      const container = get(`read the log of container ${id}`, id);
      const from = options.tail === undefined ? 0 : Math.max(0, container.log.length - options.tail);
      for (const { line, stream } of container.log.slice(from)) onLine(line, stream);
      await exited(container, options.signal).catch(() => {});
    },
    execInContainer: async (id, command, options = {}) => {
      const action = `run ${command[0] ?? ''} in container ${id}`;
      const container = get(action, id);
      if (!running(container)) throw new HyperupError('Conflict', `${action}: the container is not running`);
      const program = programOf(command);
      if (program.exit === 'never') {
        if (options.timeoutMs === undefined) throw new Error(`fake engine: ${command.join(' ')} would never end`);
        throw new HyperupError('Timeout', `${action}: no answer within ${options.timeoutMs} ms`);
      }
      const of = (stream: string) =>
        (program.output ?? [])
          .filter((each) => each.stream === stream)
          .map(({ line }) => `${line}\n`)
          .join('');
      return { exitCode: program.exit, stdout: of('stdout'), stderr: of('stderr') };
    },
    copyFromContainer: async (id, path) => {
      const action = `copy ${path} from container ${id}`;
      const content = get(action, id).files.get(posix.normalize(path));
      if (content === undefined) throw new HyperupError('NotFound', `${action}: Could not find the file ${path}`);
      return makeTar([{ name: basename(path), content }]);
    },
    copyToContainer: async (id, path, tar) => {
      const { files } = get(`copy to ${path} in container ${id}`, id);
      for (const [name, content] of Object.entries(await readTar(tar))) files.set(posix.join(path, name), content);
    },
  };
  return {
    calls,
    programs,
    absentPaths,
    usesImage: (id) => [...containers.values()].some((container) => container.details.imageId === id),
    exit: (id, exitCode) => finish(get(`end container ${id}`, id), exitCode),
  };
}

function hasLabel(container: ContainerSummary, label: string): boolean {
  const equals = label.indexOf('=');
  if (equals < 0) return container.labels[label] !== undefined;
  return container.labels[label.slice(0, equals)] === label.slice(equals + 1);
}
