import { spawn } from 'node:child_process';
import { connect as connectTo } from 'node:net';
import { Duplex } from 'node:stream';
import { errnoOf, HyperupError } from '../../base/errors.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { RuntimeSandbox } from '../types.js';
import type { DialPod } from './server-types.js';

const dialMs = 5_000;
const maxErrorText = 4096;

/**
 * Runs in another process, in the pod's network: says `+` once it is connected, then copies both ways. Its output is a
 * socket of its own making: the process's own is never ended, and the end of the pod's side has to be told.
 */
const script = `
const own = globalThis['process'];
const { Socket, connect } = require('net');
const out = new Socket({ fd: 1, readable: false, writable: true });
out.on('error', () => own.kill(own.pid, 'SIGKILL'));
const hosts = ['127.0.0.1', '::1'];
const dial = (failure) => {
  const host = hosts.shift();
  if (host === undefined) { own.stderr.write(failure.message); own.exitCode = 1; return; }
  const socket = connect({ host, port: Number(own.argv[1]), allowHalfOpen: true });
  let connected = false;
  socket.on('connect', () => {
    connected = true;
    out.write('+');
    own.stdin.pipe(socket);
    socket.pipe(out);
  });
  socket.on('error', (error) => { if (connected) own.kill(own.pid, 'SIGKILL'); else dial(error); });
};
dial();
`;

export interface PortDialerOptions {
  /** The pod's newest sandbox; undefined where it has none that is ready. */
  readonly sandbox: (pod: V1Pod) => Promise<RuntimeSandbox | undefined>;
  readonly nodeIps: readonly string[];
  /** The program that runs scripts, by default the one that runs this. */
  readonly nodeBinary?: string | undefined;
  /** Default `nsenter`. */
  readonly nsenterBinary?: string | undefined;
}

/**
 * Connects to a pod's port: by the pod's address, which costs nothing; where that is refused, from within its network,
 * since servers may listen on the loopback alone. Pods in the host's network: the loopback, then the node's addresses.
 */
export function createPortDialer(options: PortDialerOptions): DialPod {
  return async (pod, port) => {
    const sandbox = await options.sandbox(pod);
    if (sandbox === undefined) throw new HyperupError('NotFound', 'the pod has no running sandbox');
    if (sandbox.hostNetwork) return await firstOf(['127.0.0.1', ...options.nodeIps], port);
    try {
      return await firstOf(sandbox.ips, port);
    } catch (error) {
      if (sandbox.pid <= 0) throw error;
      return await dialWithin(sandbox.pid, port, options);
    }
  };
}

async function firstOf(addresses: readonly string[], port: number): Promise<Duplex> {
  let failure: unknown = new HyperupError('NotFound', 'the pod has no address');
  for (const host of addresses) {
    try {
      return await dial(host, port);
    } catch (error) {
      failure = error;
      if (errnoOf(error) !== 'ECONNREFUSED') break;
    }
  }
  throw failure;
}

function dial(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTo({ host, port, allowHalfOpen: true, noDelay: true });
    socket.setTimeout(dialMs, () =>
      socket.destroy(new HyperupError('Timeout', `connect to ${host}:${port}: timed out`)),
    );
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function dialWithin(pid: number, port: number, options: PortDialerOptions): Promise<Duplex> {
  const program = options.nodeBinary ?? process.execPath;
  const args = ['-t', String(pid), '-n', '--', program, '-e', script, String(port)];
  return new Promise((resolve, reject) => {
    const child = spawn(options.nsenterBinary ?? 'nsenter', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let errors = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), dialMs);
    child.stderr.on('data', (chunk: Buffer) => {
      if (errors.length < maxErrorText) errors += chunk.toString('utf8');
    });
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new HyperupError('NotFound', `enter the pod's network: ${error.message}`, { cause: error }));
    });
    // After it was connected this says nothing to anybody any more.
    child.once('close', () => {
      clearTimeout(timer);
      reject(new HyperupError('NotFound', errors.trim() || `connect to port ${port} in the pod's network: timed out`));
    });
    child.stdout.once('readable', () => {
      const greeting: Buffer | null = child.stdout.read(1);
      if (greeting === null) return;
      clearTimeout(timer);
      const connection = Duplex.from({ readable: child.stdout, writable: child.stdin });
      connection.on('error', () => {});
      connection.on('close', () => child.kill('SIGKILL'));
      resolve(connection);
    });
  });
}
