import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { eventuallySee } from '../support/eventually.js';
import { type Kubectl, kubectlOutput, listPods, type PodView, type StartKubectl } from '../support/kubectl.js';

/** The namespace that all workloads live in. */
export const workloadNamespace = 'hyperup-e2e';

export interface WorkloadOptions {
  readonly kubectl: Kubectl;
  /** For `kubectl port-forward`; without it that test is skipped and says so. */
  readonly startKubectl?: StartKubectl | undefined;
  /** Where node ports and host ports are reached. Not 127.0.0.1: a Go kubelet's KUBE-FIREWALL drops host ports there. */
  readonly nodeAddress: string;
  /** The host's port that the visit counter takes; 80 unless told. */
  readonly hostPort?: number | undefined;
}

/** What each workload's test works with: kubectl in the workloads' namespace, which throws on failure. */
export interface WorkloadContext {
  readonly options: WorkloadOptions;
  readonly nodeAddress: string;
  /** kubectl with `-n`; gives stdout, or throws with everything that kubectl said. */
  run(args: readonly string[], stdin?: string): Promise<string>;
  /** The same where a failure is what the test looks at. */
  attempt(args: readonly string[], stdin?: string): ReturnType<Kubectl>;
  pods(selector: string): Promise<readonly PodView[]>;
}

export function workloadContext(options: WorkloadOptions): WorkloadContext {
  const inNamespace = (args: readonly string[]) => ['-n', workloadNamespace, ...args];
  return {
    options,
    nodeAddress: options.nodeAddress,
    run: (args, stdin) => kubectlOutput(options.kubectl, inNamespace(args), stdin),
    attempt: (args, stdin) => options.kubectl(inNamespace(args), stdin),
    pods: (selector) => listPods(options.kubectl, workloadNamespace, selector),
  };
}

/** A file beside this one, as kubectl is to read it. */
export async function readManifest(name: string): Promise<string> {
  return await readFile(join(process.cwd(), 'test/e2e/workloads', name), 'utf8');
}

/**
 * Applies a manifest, and takes its objects away when the test ends; where it failed it first prints what the cluster
 * says about them. Doesn't wait until their pods are gone, which may take long: see `podsGone`.
 */
export async function applyForTest(
  t: Test,
  context: WorkloadContext,
  manifest: string,
  selector: string,
): Promise<void> {
  t.teardown(async () => {
    if (!t.passing()) await diagnose(t, context, selector);
    await context.run(['delete', '--ignore-not-found', '--wait=false', '-f', '-'], manifest);
  });
  await context.run(['apply', '-f', '-'], manifest);
}

/**
 * How long a deleted pod may stay, milliseconds. Mostly ten seconds; but where the Go kubelet of 1.20 finds the container
 * gone before it saw it end ("could not be located when the pod was deleted") it looks again at its next full sync only,
 * a minute and a half later.
 */
export const podDeletionMs = 150_000;

/** Waits until no pod is left, of those with these labels where some are given. */
export async function podsGone(context: WorkloadContext, selector = ''): Promise<void> {
  await eventuallySee(
    `the pods ${selector} to be gone`,
    async () => (await context.pods(selector)).map(({ name, phase }) => `${name} ${phase}`),
    (pods) => pods.length === 0,
    podDeletionMs,
  );
}

/** Prints what one would look at by hand. */
async function diagnose(t: Test, context: WorkloadContext, selector: string): Promise<void> {
  for (const args of [
    ['get', 'all', '-o', 'wide'],
    ['describe', 'pods', '-l', selector],
    ['logs', '-l', selector, '--all-containers', '--prefix', '--tail=20'],
    ['get', 'events', '--sort-by=.lastTimestamp'],
  ]) {
    const { stdout, stderr } = await context.attempt(args);
    t.comment(`kubectl ${args.join(' ')}\n${stdout}${stderr}`);
  }
}
