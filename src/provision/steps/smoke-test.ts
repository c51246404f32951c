import { waitFor } from '../../base/wait.js';
import { staticComponents } from '../../controlplane/component-flags.js';
import { kubeletImageReference } from '../../imagebuild/kubelet-image.js';
import { resources } from '../../kube/resource-ref.js';
import { type InstallContext, slot } from '../install-context.js';
import { obtainBuiltinKubelet } from '../obtain-builtin-kubelet.js';
import { runSmoke } from '../smoke.js';
import { clusterNames, type SmokeNames } from '../smoke-names.js';
import { readStatus } from '../status.js';
import type { Step, StepIo } from '../step.js';
import type { ClusterStatus } from '../types.js';

/** Begins the smoke test beside what is still coming up. Its failure shows where its step waits for it. */
export function startSmoke(context: InstallContext): void {
  const { options, runtime, release, slots } = context;
  const controller = new AbortController();
  const run = async () =>
    runSmoke({
      kube: slot(context, 'kube'),
      engine: slot(context, 'engine'),
      release,
      kubeletImage: kubeletImageReference(runtime.packageVersion),
      runtime: { clock: runtime.clock, signal: AbortSignal.any([runtime.signal, controller.signal]) },
      timeoutMs: options.timeoutMs,
      onWait: (reason) => runtime.emit({ type: 'wait', step: 'smoke', reason }),
      names: await namesToFind(context),
    });
  const done = run();
  const settled = done.then(
    () => {},
    () => {},
  );
  slots.smoke = {
    done,
    stop: () => {
      controller.abort();
      return settled;
    },
  };
}

/** Undefined where nobody answers for names, or this machine could not make the image that looks for them. */
async function namesToFind(context: InstallContext): Promise<SmokeNames | undefined> {
  if (context.dns === 'none') return undefined;
  const image = await obtainBuiltinKubelet(context).catch(() => undefined);
  return image && { ...clusterNames(context.options.cluster), outside: undefined };
}

/** The control plane as users see it: its pods in the API, each Running and Ready. */
function waitSystemPods(context: InstallContext, io: StepIo): Promise<void> {
  const { options, runtime } = context;
  const kube = slot(context, 'kube');
  const wanted = staticComponents.map((component) => `${component}-${options.cluster.nodeName}`);
  return waitFor(
    'the pods of the control plane',
    async () => {
      const pods = (await kube.list(resources.pods, { namespace: 'kube-system' })).items;
      const late = wanted.filter((name) => {
        const status = pods.find(({ metadata }) => metadata?.name === name)?.status;
        const ready = status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
        return status?.phase !== 'Running' || ready !== true;
      });
      return late.length === 0
        ? { done: true, value: undefined }
        : { done: false, reason: `${late.join(', ')} not reported as running` };
    },
    { clock: runtime.clock, timeoutMs: options.timeoutMs, intervalMs: 150, signal: runtime.signal, onWait: io.wait },
  );
}

/**
 * Every component up at one time. A kubelet that has only just taken over from one that was killed says so of its node
 * for a moment, though the node was Ready before.
 */
function waitStatus(context: InstallContext, io: StepIo): Promise<ClusterStatus> {
  const { options, runtime } = context;
  return waitFor(
    'the components',
    async () => {
      const status = await readStatus(options.cluster.paths.stateDir, slot(context, 'engine'), runtime, 5000);
      const late = status.components.filter(({ state }) => state !== 'up');
      if (late.length === 0) return { done: true, value: status };
      return { done: false, reason: late.map(({ component, message }) => `${component}: ${message}`).join('; ') };
    },
    { clock: runtime.clock, timeoutMs: options.timeoutMs, intervalMs: 250, signal: runtime.signal, onWait: io.wait },
  );
}

export const smokeTestStep: Step<InstallContext> = {
  id: 'smoke',
  title: 'Run a pod and reach it through a Service',
  async run(context, io) {
    // The one that was under way ended with a kubelet that gave way to another.
    if (context.slots.smoke === undefined) startSmoke(context);
    const [detail, status] = await Promise.all([
      slot(context, 'smoke').done,
      waitStatus(context, io),
      waitSystemPods(context, io),
    ]);
    context.slots.status = status;
    return detail;
  },
};
