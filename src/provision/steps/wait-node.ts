import { HyperupError } from '../../base/errors.js';
import { waitFor } from '../../base/wait.js';
import type { V1Node } from '../../kube/node-objects.js';
import { resources } from '../../kube/resource-ref.js';
import { withKubelet } from '../give-way.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step, StepIo } from '../step.js';

/** Undefined where the node is Ready and runs the release; else why it isn't. Throws `Unhealthy` for another version. */
export function nodeFault(node: V1Node | undefined, version: string): string | undefined {
  if (!node) return 'the kubelet has not registered';
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready?.status !== 'True') return ready?.message ?? 'no Ready condition yet';
  const found = node.status?.nodeInfo?.kubeletVersion;
  if (found !== version) {
    throw new HyperupError('Unhealthy', `node ${node.metadata?.name}: got kubelet ${found}, want ${version}`);
  }
  return undefined;
}

export const waitNodeStep: Step<InstallContext> = {
  id: 'node',
  title: 'Wait for the node to be Ready',
  async run(context, io) {
    await withKubelet(context, io, (signal) => waitNode(context, io, signal));
    return context.options.cluster.nodeName;
  },
};

async function waitNode(context: InstallContext, io: StepIo, signal: AbortSignal): Promise<void> {
  const { options, runtime, release } = context;
  const name = options.cluster.nodeName;
  const kube = slot(context, 'kube');
  try {
    await waitFor(
      `node ${name}`,
      async () => {
        const reason = nodeFault(await kube.find(resources.nodes, { name }), release.version);
        return reason === undefined ? { done: true, value: undefined } : { done: false, reason };
      },
      { clock: runtime.clock, timeoutMs: options.timeoutMs, intervalMs: 100, signal, onWait: io.wait },
    );
  } catch (error) {
    if (!(error instanceof HyperupError) || error.code === 'Aborted') throw error;
    throw new HyperupError('Unhealthy', error.message, {
      cause: error,
      output: await slot(context, 'nodeAgent').lastLog(25),
      details: { component: 'kubelet' },
    });
  }
}
