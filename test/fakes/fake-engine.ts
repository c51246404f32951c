import type { HyperupError } from '../../src/base/errors.js';
import type { Engine, EngineInfo } from '../../src/docker/types.js';
import { makeFakeContainers } from './fake-engine-containers.js';
import { makeFakeImages } from './fake-engine-images.js';
import type { FakeCall, FakeEngine } from './fake-engine-types.js';

const plainInfo: EngineInfo = {
  endpoint: 'unix:///fake.sock',
  version: '20.10.24',
  apiVersion: '1.41',
  minApiVersion: '1.12',
  maxApiVersion: '1.41',
  operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  architecture: 'x86_64',
  cgroupDriver: 'cgroupfs',
  cgroupVersion: 1,
  storageDriver: 'overlay2',
  rootDir: '/var/lib/docker',
  memoryBytes: 8 * 2 ** 30,
  cpus: 2,
  registryMirrors: [],
  insecureRegistries: ['127.0.0.0/8'],
  httpProxy: '',
  httpsProxy: '',
  noProxy: '',
  rootless: false,
  liveRestore: false,
  warnings: [],
};

/**
 * An engine in memory. Images and containers keep state as the real one does (the contract suite runs on both);
 * pulls, builds and programs do what the test arranged, and throw a plain Error where it arranged nothing.
 * `now` gives times in milliseconds; by default a fixed moment that grows by a second a reading.
 */
export function makeFakeEngine(now: () => number = tickingTime()): FakeEngine {
  const images = makeFakeImages(now);
  const containers = makeFakeContainers(images, now);
  images.inUse = containers.usesImage;
  const calls: FakeCall[] = [];
  const failures = new Map<keyof Engine, HyperupError[]>();
  let info = plainInfo;
  let closed = false;

  const engine: Engine = {
    ...images.calls,
    ...containers.calls,
    info: async () => info,
    ping: async () => {},
    close: () => {
      closed = true;
    },
  };
  const recorded = Object.fromEntries(
    Object.entries(engine).map(([name, work]: [string, (...args: never[]) => unknown]) => {
      const call = name as keyof Engine;
      return [
        call,
        (...args: never[]) => {
          calls.push({ call, args });
          const failure = failures.get(call)?.shift();
          return failure ? Promise.reject(failure) : work(...args);
        },
      ];
    }),
  ) as unknown as Engine;
  return {
    ...recorded,
    calls,
    get closed() {
      return closed;
    },
    addImage: (reference, spec = {}) => images.add(reference, spec).summary.id,
    arrangeInfo: (changes) => {
      info = { ...info, ...changes };
    },
    arrangePull: (reference, ...outcomes) => {
      images.pulls.set(reference, [...outcomes]);
    },
    arrangeBuild: (tag, outcome) => {
      images.builds.set(tag, outcome);
    },
    arrangeProgram: (command, program) => {
      containers.programs.set(JSON.stringify(command), program);
    },
    arrangeAbsentPath: (path) => {
      containers.absentPaths.add(path);
    },
    failNext: (call, error) => {
      failures.set(call, [...(failures.get(call) ?? []), error]);
    },
    exitContainer: containers.exit,
  };
}

function tickingTime(): () => number {
  let time = Date.UTC(2026, 0, 1);
  return () => {
    time += 1000;
    return time;
  };
}
