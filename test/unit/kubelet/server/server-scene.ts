import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { Duplex, PassThrough } from 'node:stream';
import { systemClock } from '../../../../src/base/clock.js';
import { silentLogger } from '../../../../src/base/logger.js';
import { createMetricsRegistry } from '../../../../src/base/metrics-registry.js';
import type { ExecSpec, RunningExec, TerminalSize } from '../../../../src/docker/runtime-types.js';
import type { V1Pod } from '../../../../src/kube/pod-objects.js';
import { createHttpListener, maxHeaderBytes } from '../../../../src/kubelet/server/http-listener.js';
import { registerOwnMetrics } from '../../../../src/kubelet/server/metrics-endpoint.js';
import { makeRouter } from '../../../../src/kubelet/server/router.js';
import { debuggingRoutes, readOnlyRoutes } from '../../../../src/kubelet/server/routes.js';
import type { EndpointOptions, NodeUsage, ServerEngine } from '../../../../src/kubelet/server/server-types.js';
import { createUsageCollector } from '../../../../src/kubelet/server/usage-collector.js';
import type { RuntimeContainer, RuntimePodStatus } from '../../../../src/kubelet/types.js';
import { makeSpdyClient, type SpdyClient } from './spdy-client.js';

export const containerId = 'c'.repeat(64);

export const pod: V1Pod = {
  metadata: { name: 'web', namespace: 'ns', uid: 'uid-1' },
  spec: { containers: [{ name: 'app' }] },
  status: {
    phase: 'Running',
    containerStatuses: [
      {
        name: 'app',
        ready: true,
        restartCount: 0,
        image: 'i',
        imageID: 'i',
        containerID: `docker://${containerId}`,
        state: { running: {} },
      },
    ],
  },
};

export function makeContainer(change: Partial<RuntimeContainer> = {}): RuntimeContainer {
  return {
    id: containerId,
    name: 'app',
    podUid: 'uid-1',
    sandboxId: 'd'.repeat(64),
    attempt: 0,
    state: 'running',
    createdAtMs: 1,
    startedAtMs: 1,
    finishedAtMs: 0,
    exitCode: 0,
    reason: '',
    message: '',
    image: 'i',
    imageId: 'i',
    hash: '',
    pid: 1,
    logPath: '',
    tty: false,
    openStdin: true,
    ...change,
  };
}

/** What a fake process does: a command of the scene's own, by its first word. */
export interface FakeExec {
  readonly spec: ExecSpec;
  readonly sizes: TerminalSize[];
  stdinEnded: boolean;
  destroyed: boolean;
}

/** `cat` echoes, `exit N` ends with a code, `both` writes to both outputs, `hang` waits for its end, `fail` can't start. */
export function makeFakeEngine() {
  const execs: FakeExec[] = [];
  const engine: ServerEngine = {
    async startExec(_id, spec) {
      const [program, argument] = spec.command;
      if (program === 'fail') throw new Error('no such program');
      const record: FakeExec = { spec, sizes: [], stdinEnded: false, destroyed: false };
      execs.push(record);
      const stdout = new PassThrough();
      const stderr = new PassThrough();
      const input = new PassThrough();
      const stdin = spec.stdin ? makeStdin(input) : undefined;
      stdin?.on('error', () => {});
      input.on('finish', () => {
        record.stdinEnded = true;
      });
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      if (program === 'cat') input.pipe(stdout);
      else if (program !== 'hang') {
        if (program === 'both') {
          stdout.write('out');
          stderr.write('err');
        }
        stdout.end();
      }
      if (program !== 'hang') stdout.on('end', () => stderr.end());
      stderr.on('end', () => end());
      const exec: RunningExec = {
        execId: 'e',
        stdin,
        stdout,
        stderr,
        ended,
        destroy() {
          record.destroyed = true;
          stdout.destroy();
          stderr.destroy();
          end();
        },
        resize: async (size) => void record.sizes.push(size),
        exitCode: async () => (program === 'exit' ? Number(argument) : 0),
        pid: async () => 1,
      };
      return exec;
    },
    attachContainer: () => Promise.reject(new Error('not in this scene')),
    resizeContainer: () => Promise.resolve(),
    containerLogs: () => Promise.reject(new Error('not in this scene')),
    containerStats: async () => ({
      timeMs: 1000,
      cpuUsageNanoseconds: 2e9,
      memoryUsageBytes: 30,
      memoryWorkingSetBytes: 20,
      memoryRssBytes: 10,
      pageFaults: 1,
      majorPageFaults: 0,
      processes: 2,
      networks: { eth0: { rxBytes: 5, rxErrors: 0, txBytes: 6, txErrors: 0 } },
    }),
  };
  return { engine, execs };
}

/** Ends what it writes to, and never destroys it: what it has is still to be read. */
function makeStdin(input: PassThrough): Duplex {
  const stdin = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => void input.write(chunk, done),
    final: (done) => void input.end(done),
  });
  stdin.push(null);
  return stdin;
}

const usage: NodeUsage = {
  timeMs: 1000,
  startTimeMs: 0,
  cpus: 2,
  cpuUsageNanoseconds: 5e9,
  memoryCapacityBytes: 100,
  memoryUsageBytes: 50,
  memoryWorkingSetBytes: 40,
  memoryAvailableBytes: 60,
  memoryRssBytes: 30,
  pageFaults: 0,
  majorPageFaults: 0,
  networks: {},
  defaultInterface: '',
  fs: {},
  imageFs: {},
  processes: 1,
  maxProcesses: 2,
};

/** A listener with all routes over plain HTTP on a loopback port; `stop` before the test ends. */
export async function startScene(change: Partial<EndpointOptions> & { readonly container?: RuntimeContainer } = {}) {
  const { engine, execs } = makeFakeEngine();
  const state = { container: change.container ?? makeContainer(), pod };
  const status = (): RuntimePodStatus => ({
    uid: 'uid-1',
    name: 'web',
    namespace: 'ns',
    sandboxes: [
      {
        id: 'd'.repeat(64),
        podUid: 'uid-1',
        attempt: 0,
        state: 'ready',
        createdAtMs: 0,
        hostNetwork: false,
        ips: [],
        pid: 1,
      },
    ],
    containers: [state.container],
  });
  const options: EndpointOptions = {
    host: {
      pods: () => [state.pod],
      runningPods: async () => [state.pod],
      findPod: (namespace, name, uid) =>
        namespace === 'ns' && name === 'web' && (uid === undefined || uid === 'uid-1') ? state.pod : undefined,
      knownStatus: status,
      freshStatus: async () => status(),
      nodeUsage: async () => usage,
      configz: () => ({ kind: 'KubeletConfiguration' }),
      machineInfo: () => ({ num_cores: 2 }),
    },
    engine,
    clock: systemClock,
    logger: silentLogger,
    nodeName: 'node',
    dialPod: () => Promise.reject(new Error('connection refused')),
    metrics: createMetricsRegistry(),
    checks: {},
    hostRoot: '',
    ...change,
  };
  registerOwnMetrics(options.metrics, options.host, options.nodeName);
  const measure = createUsageCollector(options);
  const server: Server = createServer({ maxHeaderSize: maxHeaderBytes });
  const listener = createHttpListener({
    server,
    address: '127.0.0.1',
    port: 0,
    router: makeRouter([...readOnlyRoutes(options, measure), ...debuggingRoutes(options)]),
    authorize: () => Promise.resolve(),
    logger: silentLogger,
  });
  const { port } = await listener.start();
  return { port, execs, state, options, stop: listener.stop };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export function ask(port: number, path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      response.setEncoding('utf8');
      let body = '';
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

/** A client on the upgraded connection, or the plain answer where the server doesn't upgrade. */
export function upgrade(
  port: number,
  path: string,
  protocols = 'v4.channel.k8s.io',
): Promise<{ client: SpdyClient; protocol: string } | { status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      method: 'POST',
      agent: false,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'SPDY/3.1',
        ...(protocols === '' ? {} : { 'X-Stream-Protocol-Version': protocols }),
      },
    });
    request.on('upgrade', (response, socket, head) => {
      const protocol = String(response.headers['x-stream-protocol-version']);
      resolve({ client: makeSpdyClient(socket, head), protocol });
    });
    request.on('response', (response) => {
      response.setEncoding('utf8');
      let body = '';
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

/** As `upgrade`, for tests that need the connection. */
export async function upgraded(port: number, path: string, protocols?: string): Promise<SpdyClient> {
  const result = await upgrade(port, path, protocols);
  if (!('client' in result)) throw new Error(`not upgraded: ${result.status} ${result.body}`);
  return result.client;
}

/** Resolves once it holds; for what another turn of the event loop does. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
