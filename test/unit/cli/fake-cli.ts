import { HyperupError } from '../../../src/base/errors.js';
import { type Operation, startOperation } from '../../../src/base/operation.js';
import type { ProgressEvent } from '../../../src/base/progress.js';
import type { CliIo, StopSignal } from '../../../src/cli/cli-io.js';
import { runCli } from '../../../src/cli/run.js';
import type { CliDependencies } from '../../../src/cli/session.js';
import type { CopyVerbs, LoadVerbs, SyncVerbs, Verbs } from '../../../src/cli/verbs.js';
import type { EngineInfo } from '../../../src/docker/types.js';
import type { RunContext } from '../../../src/provision/runtime.js';
import type { ClusterStatus, InstallResult } from '../../../src/provision/types.js';

export interface FakeRun {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** What `exitNow` was called with. */
  readonly exitedNow: readonly number[];
}

export interface FakeOptions {
  readonly verbs?: Partial<Verbs>;
  readonly copyVerbs?: Partial<CopyVerbs>;
  readonly loadVerbs?: Partial<LoadVerbs>;
  readonly syncVerbs?: Partial<SyncVerbs>;
  readonly env?: CliDependencies['env'];
  readonly tty?: boolean;
  readonly answer?: string;
  /** Called once the question is there. */
  readonly onAsk?: () => void;
  readonly configText?: string;
  /** Is handed the function that sends a stop signal, before the command runs. */
  readonly onStart?: (stop: (name: StopSignal) => void) => void;
}

/** Runs one command line on fakes. A verb that the test did not provide throws. */
export async function fakeCli(argv: readonly string[], options: FakeOptions = {}): Promise<FakeRun> {
  let [out, err] = ['', ''];
  const exitedNow: number[] = [];
  const listeners = new Set<(name: StopSignal) => void>();
  const tty = options.tty ?? false;
  const io: CliIo = {
    stdinIsTty: tty,
    stdoutIsTty: tty,
    stderrIsTty: tty,
    writeOut: (text) => {
      out += text;
    },
    writeErr: (text) => {
      err += text;
    },
    ask: async (question, signal) => {
      err += question;
      if (options.answer !== undefined) return options.answer;
      // As readline: its own error, the reason only as the cause.
      if (options.onAsk !== undefined) setImmediate(options.onAsk);
      return await new Promise((_, reject) => {
        signal.addEventListener('abort', () =>
          reject(Object.assign(new Error('The operation was aborted'), { name: 'AbortError' })),
        );
      });
    },
    onStopSignal: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    exitNow: (code) => void exitedNow.push(code),
  };
  options.onStart?.((name) => {
    for (const listener of listeners) listener(name);
  });
  const exitCode = await runCli(argv, {
    io,
    env: options.env ?? {},
    version: '1.2.3',
    command: 'hyperup',
    loadVerbs: async () => strictVerbs(options.verbs ?? {}) as Verbs,
    loadCopyVerbs: async () => strictVerbs(options.copyVerbs ?? {}) as CopyVerbs,
    loadLoadVerbs: async () => strictVerbs(options.loadVerbs ?? {}) as LoadVerbs,
    loadSyncVerbs: async () => strictVerbs(options.syncVerbs ?? {}) as SyncVerbs,
    loadKnownNames: async () => ({ releases: [{ version: 'v1.20.2', dockershim: true }] }),
    readHost: () => ({
      hostname: 'edge-1',
      homeDir: '/home/ada',
      workingDir: '/work-dir',
      nodeAddress: '192.0.2.7',
      sudoUser: undefined,
    }),
    readConfigFiles: async (named) =>
      options.configText === undefined ? [] : [{ path: named ?? '/etc/hyperup/config.yaml', text: options.configText }],
  });
  return { exitCode, out, err, exitedNow };
}

function strictVerbs(verbs: object): object {
  return new Proxy(verbs, {
    get: (target, name) => {
      // A promise asks every value whether it is a promise too.
      if (name === 'then') return undefined;
      const verb = Reflect.get(target, name);
      if (verb === undefined) throw new Error(`the test did not expect ${String(name)}`);
      return verb;
    },
  });
}

/** An operation that reports these events and then gives the value, or throws it where it is an error. */
export function fakeOperation<T>(value: T | Error, events: readonly ProgressEvent[] = []): Operation<T> {
  return startOperation(async (emit) => {
    for (const event of events) emit(event);
    if (value instanceof Error) throw value;
    return value;
  });
}

/** An operation that runs until it is aborted, then rolls back (one event) and throws `Aborted`. */
export function endlessOperation<T>(run: RunContext | undefined, onStarted: () => void): Operation<T> {
  return startOperation(async (emit, signal) => {
    setImmediate(onStarted);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    emit({ type: 'step', step: 'etcd', title: 'etcd', state: 'undone' });
    throw new HyperupError('Aborted', 'install: interrupted', { cause: signal.reason });
  }, run?.signal);
}

/** The values that `--json` printed, one a line. */
export function jsonLines(text: string): readonly Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export const healthy: ClusterStatus = {
  installed: true,
  healthy: true,
  cluster: 'hyperup',
  kubernetesVersion: 'v1.20.2',
  server: 'https://192.0.2.7:6443',
  kubelet: 'hyperkube',
  certificatesExpire: '2036-11-20T08:00:00Z',
  components: [
    {
      component: 'etcd',
      state: 'up',
      message: 'healthy',
      pid: 4711,
      ports: [2379, 2380],
      version: '3.4.23',
      restarts: 0,
      ageMs: 754_000,
    },
    { component: 'node', state: 'up', message: 'Ready' },
  ],
};

export const sick: ClusterStatus = {
  ...healthy,
  healthy: false,
  components: [
    {
      component: 'kube-apiserver',
      state: 'down',
      message: 'GET /readyz: got 500, want 200',
      lastLog: ['E1122 etcd unreachable', 'F1122 exiting'],
    },
  ],
};

export const installed: InstallResult = {
  status: healthy,
  changed: true,
  kubeconfigPath: '/home/ada/.kube/config',
  context: 'hyperup',
  kubectl: '/usr/local/bin/kubectl',
  elapsedMs: 41_230,
};

export const engineInfo: EngineInfo = {
  endpoint: 'unix:///x.sock',
  version: '20.10.24',
  apiVersion: '1.41',
  minApiVersion: '1.12',
  maxApiVersion: '1.41',
  operatingSystem: 'Debian',
  architecture: 'x86_64',
  cgroupDriver: 'cgroupfs',
  cgroupVersion: 1,
  storageDriver: 'overlay2',
  rootDir: '/var/lib/docker',
  memoryBytes: 1,
  cpus: 1,
  registryMirrors: [],
  insecureRegistries: [],
  httpProxy: '',
  httpsProxy: '',
  noProxy: '',
  rootless: false,
  liveRestore: false,
  warnings: [],
};
