import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeFailure, type ProgramResult, type RunningProgram, runProgram, startProgram } from './program.js';

/** What the workloads need of kubectl: run one command, with something on stdin where it takes it. */
export type Kubectl = (
  args: readonly string[],
  stdin?: string,
) => Promise<Pick<ProgramResult, 'exitCode' | 'stdout' | 'stderr'>>;

/** Starts a kubectl command that runs until it is stopped (`port-forward`, `logs -f`). */
export type StartKubectl = (
  args: readonly string[],
  onLine: (line: string) => void,
) => Pick<RunningProgram, 'result' | 'kill'>;

export interface KubectlTarget {
  /** The kubectl program. */
  readonly program: string;
  readonly kubeconfig: string;
  /** How long one command may take, milliseconds. */
  readonly timeoutMs?: number;
}

const environment = (target: KubectlTarget) => ({ KUBECONFIG: target.kubeconfig });

/** kubectl keeps what it learnt of a server; below the home folder that would count as left behind. */
const cacheFlag = `--cache-dir=${join(tmpdir(), 'hyperup-test-kubectl')}`;

/** kubectl against one cluster, as a user runs it. */
export function makeKubectl(target: KubectlTarget): Kubectl {
  return (args, stdin) =>
    runProgram(target.program, [cacheFlag, ...args], {
      stdin,
      env: environment(target),
      timeoutMs: target.timeoutMs ?? 180_000,
    });
}

/** Long-running kubectl commands against one cluster. */
export function makeStartKubectl(target: KubectlTarget): StartKubectl {
  return (args, onLine) => startProgram(target.program, [cacheFlag, ...args], { env: environment(target), onLine });
}

/** Gives stdout, or throws with everything that kubectl said. */
export async function kubectlOutput(kubectl: Kubectl, args: readonly string[], stdin?: string): Promise<string> {
  const result = await kubectl(args, stdin);
  if (result.exitCode !== 0) {
    throw new Error(describeFailure({ ...result, command: `kubectl ${args.join(' ')}`, elapsedMs: 0 }));
  }
  return result.stdout;
}

/** A pod, as far as the tests look at it. */
export interface PodView {
  readonly name: string;
  readonly phase: string;
  readonly ip: string;
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly restarts: number;
}

interface RawPod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}

/** The pods that carry those labels, sorted by name. */
export async function listPods(kubectl: Kubectl, namespace: string, selector: string): Promise<readonly PodView[]> {
  const text = await kubectlOutput(kubectl, ['-n', namespace, 'get', 'pods', '-l', selector, '-o', 'json']);
  const { items } = JSON.parse(text) as { readonly items: readonly RawPod[] };
  return items
    .map(({ metadata, status }) => ({
      name: metadata.name,
      phase: status.phase ?? '',
      ip: status.podIP ?? '',
      ready: status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false,
      terminating: metadata.deletionTimestamp !== undefined,
      restarts: (status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
