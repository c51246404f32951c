import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { HyperupError } from '../../src/base/errors.js';
import type {
  ContainerCreateBody,
  ContainerEvent,
  EngineImage,
  RuntimeEngine,
  RuntimeInfo,
} from '../../src/docker/runtime-types.js';
import type { PullOptions } from '../../src/docker/types.js';
import { hasLabel, makeFakeRuntimeContainers } from './fake-runtime-containers.js';
import type { FakeExec, FakeRun, FakeRuntimeCall, FakeRuntimeEngine } from './fake-runtime-types.js';

export type * from './fake-runtime-types.js';

export interface FakeRuntimeEngineOptions {
  /** Times and delays; the system's by default. */
  readonly clock?: Clock;
  readonly apiVersion?: string;
}

const plainInfo: RuntimeInfo = {
  version: '20.10.24',
  cgroupDriver: 'cgroupfs',
  cgroupVersion: 1,
  rootDir: '/var/lib/docker',
  logDriver: 'json-file',
  operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  kernelVersion: '6.1.0',
  memoryBytes: 8 * 2 ** 30,
  cpus: 2,
  runtimes: ['runc'],
  defaultRuntime: 'runc',
};

interface Watch {
  readonly labels: readonly string[];
  readonly queue: ContainerEvent[];
  error: HyperupError | undefined;
  wake(): void;
}

/**
 * A `RuntimeEngine` in memory, held against the same contract as the real one. A started container runs until it is
 * stopped or killed (SIGTERM ends it with 143) unless `arrangeRun` says otherwise.
 */
export function makeFakeRuntimeEngine(options: FakeRuntimeEngineOptions = {}): FakeRuntimeEngine {
  const { clock = systemClock, apiVersion = '1.41' } = options;
  const images = new Map<string, EngineImage>();
  const pulls = new Map<string, ('image' | 'hang' | HyperupError)[]>();
  const runs: { readonly matches: (name: string, body: ContainerCreateBody) => boolean; readonly left: FakeRun[] }[] =
    [];
  const execs: { readonly matches: (id: string, command: readonly string[]) => boolean; readonly exec: FakeExec }[] =
    [];
  const watches = new Set<Watch>();
  const calls: FakeRuntimeCall[] = [];
  const failures = new Map<keyof RuntimeEngine, HyperupError[]>();
  let info = plainInfo;
  let closed = false;

  const findImage = (reference: string) =>
    images.get(reference) ??
    [...images.values()].find(
      (image) =>
        image.tags.includes(reference) || image.digests.includes(reference) || image.id === `sha256:${reference}`,
    );
  const containers = makeFakeRuntimeContainers({
    clock,
    findImage,
    nextRun: (name, body) => {
      const left = runs.find((each) => each.matches(name, body))?.left ?? [];
      return (left.length > 1 ? left.shift() : left[0]) ?? {};
    },
    findExec: (id, command) => {
      const found = execs.find((each) => each.matches(id, command));
      if (!found) throw new Error(`fake engine: no exec was arranged for ${JSON.stringify(command)}`);
      return found.exec;
    },
    emit: (event) => {
      for (const watch of watches) {
        if (!watch.labels.every((label) => hasLabel(event.labels, label))) continue;
        watch.queue.push(event);
        watch.wake();
      }
    },
  });

  const addImage = (reference: string, image: Partial<EngineImage> = {}): string => {
    const id = image.id ?? `sha256:${createHash('sha256').update(reference).digest('hex')}`;
    const known = images.get(id);
    for (const [other, each] of images) {
      images.set(other, { ...each, tags: each.tags.filter((tag) => tag !== reference) });
    }
    images.set(id, {
      id,
      tags: [...(known?.tags ?? []), reference],
      digests: [],
      sizeBytes: 1_000_000,
      user: '',
      createdAtMs: clock.now(),
      ...image,
    });
    return id;
  };

  const pullImage = async (reference: string, { signal }: PullOptions = {}): Promise<void> => {
    const aborted = () => new HyperupError('Aborted', `pull ${reference}: interrupted`, { cause: signal?.reason });
    if (signal?.aborted) throw aborted();
    const queue = pulls.get(reference);
    const outcome = queue && queue.length > 1 ? queue.shift() : queue?.[0];
    if (!outcome) throw new Error(`fake engine: no pull was arranged for ${reference}`);
    if (outcome instanceof HyperupError) throw outcome;
    if (outcome === 'image') addImage(reference);
    else await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(aborted()), { once: true }));
  };

  const removeImage = async (reference: string): Promise<boolean> => {
    const image = findImage(reference);
    if (!image) return false;
    const tags = image.tags.filter((tag) => tag !== reference);
    const byId = tags.length === image.tags.length;
    const used = containers.all().some((each) => each.inspection.imageId === image.id);
    if ((byId || tags.length === 0) && used) {
      throw new HyperupError('Conflict', `remove image ${reference}: a container is using its referenced image`);
    }
    if (byId || tags.length === 0) images.delete(image.id);
    else images.set(image.id, { ...image, tags });
    return true;
  };

  async function* containerEvents(labels: readonly string[], signal: AbortSignal): AsyncGenerator<ContainerEvent> {
    const watch: Watch = { labels, queue: [], error: undefined, wake: () => {} };
    const abort = () => {
      watch.error = new HyperupError('Aborted', 'watch container events: interrupted');
      watch.wake();
    };
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    watches.add(watch);
    try {
      for (;;) {
        if (watch.error) throw watch.error;
        const event = watch.queue.shift();
        if (event) yield event;
        else {
          await new Promise<void>((resolve) => {
            watch.wake = resolve;
          });
        }
      }
    } finally {
      watches.delete(watch);
      signal.removeEventListener('abort', abort);
    }
  }

  const engine: RuntimeEngine = {
    apiVersion,
    engineVersion: info.version,
    ...containers.calls,
    containerEvents,
    inspectImage: async (reference) => findImage(reference),
    listImages: async () => [...images.values()],
    pullImage,
    removeImage,
    imageDiskUsage: async () => [...images.values()].reduce((sum, image) => sum + image.sizeBytes, 0),
    info: async () => info,
    // As an engine with `"bridge": "none"`: what asks leaves this machine's own bridge alone.
    bridgeNetwork: async () => undefined,
    close: () => {
      closed = true;
    },
  };
  const recorded = Object.fromEntries(
    Object.entries(engine).map(([name, work]: [string, unknown]) => {
      const call = name as keyof RuntimeEngine;
      if (typeof work !== 'function') return [call, work];
      return [
        call,
        (...args: never[]) => {
          calls.push({ call, args });
          const failure = failures.get(call)?.shift();
          if (failure && call === 'containerEvents') return failing(failure);
          return failure ? Promise.reject(failure) : (work as (...all: never[]) => unknown)(...args);
        },
      ];
    }),
  ) as unknown as RuntimeEngine;
  return {
    ...recorded,
    calls,
    get closed() {
      return closed;
    },
    containers: () => containers.all().map(({ inspection }) => inspection),
    bodyOf: (id) => containers.find(id)?.body,
    addImage,
    arrangePull: (reference, ...outcomes) => {
      pulls.set(reference, [...outcomes]);
    },
    arrangeRun: (matches, ...left) => {
      runs.unshift({ matches, left: [...left] });
    },
    arrangeExec: (matches, exec) => {
      const wanted = typeof matches === 'function' ? undefined : JSON.stringify(matches);
      execs.unshift({
        exec,
        matches:
          typeof matches === 'function'
            ? matches
            : (_, command: readonly string[]) => JSON.stringify(command) === wanted,
      });
    },
    failNext: (call, error) => {
      failures.set(call, [...(failures.get(call) ?? []), error]);
    },
    arrangeInfo: (changes) => {
      info = { ...info, ...changes };
    },
    exit: (id, exitCode, how) => containers.exit(id, exitCode, how?.oomKilled ?? false),
    breakEvents: () => {
      for (const watch of watches) {
        watch.error = new HyperupError('EngineUnreachable', 'watch container events: the engine ended the stream');
        watch.wake();
      }
    },
  };
}

// biome-ignore lint/correctness/useYield: a watch that fails before its first event
async function* failing(error: HyperupError): AsyncGenerator<ContainerEvent> {
  throw error;
}
