import { HyperupError } from '../base/errors.js';
import { type ContainerSpec, managedLabel } from '../docker/types.js';
import { isSameChange } from '../host/journal-format.js';
import { kubeletImageReference, kubeletProgram } from '../imagebuild/kubelet-image.js';
import { probeHealth } from '../kube/http-health.js';
import { builtinKubeletContainer } from '../nodeagent/builtin-kubelet.js';
import { type ContainerNodeAgent, createContainerNodeAgent } from '../nodeagent/container-node-agent.js';
import type { NodeAgentInputs } from '../nodeagent/inputs.js';
import type { KubeletMode } from '../nodeagent/kubelet-configuration.js';
import { clusterLabel, kubeletContainer } from '../nodeagent/kubelet-container.js';
import { type InstallContext, slot } from './install-context.js';
import type { KubeletPlan } from './plan-kubelet.js';
import type { Runtime } from './runtime.js';

/** What every kubelet container of a cluster bears, in whichever mode it runs. */
export function kubeletLabels(clusterName: string): Readonly<Record<string, string>> {
  return { [managedLabel]: 'true', [clusterLabel]: clusterName };
}

function kubeletSpec({ slots }: InstallContext, mode: KubeletMode): ContainerSpec {
  const route = slots.journal?.entries().find(({ change }) => change.kind === 'route')?.change;
  const inputs = {
    ...slot({ slots }, 'nodeAgentInputs'),
    serviceRoute: route?.kind === 'route' ? route : undefined,
  };
  return slots.builtin ? builtinKubeletContainer(inputs, slots.builtin) : kubeletContainer(inputs, mode);
}

/** The agent of a mode, its container journaled: it may be made from now on. One entry, by what both modes bear, is for both. */
export async function journaledAgent(context: InstallContext, mode: KubeletMode): Promise<ContainerNodeAgent> {
  const { options, runtime } = context;
  const journal = slot(context, 'journal');
  const { name, ports } = options.cluster;
  const change = { kind: 'container', name: `${name}-kubelet`, labels: kubeletLabels(name) } as const;
  if (!journal.entries().some((entry) => isSameChange(entry.change, change))) await journal.record(change);
  return createContainerNodeAgent({
    engine: slot(context, 'engine'),
    spec: kubeletSpec(context, mode),
    clock: runtime.clock,
    checkHealth: async (signal) => {
      const url = `http://127.0.0.1:${ports.kubeletHealth}/healthz`;
      const answer = await probeHealth({ url, timeoutMs: 2000, signal });
      if (answer.statusCode === 200) return;
      throw new HyperupError('ApiFailed', `kubelet: ${url} says ${answer.statusCode}: ${answer.body.slice(0, 200)}`);
    },
  });
}

/** The kubelet's container as an install would make it. Pure. */
export function plannedContainer(
  kubelet: KubeletPlan['kubelet'],
  inputs: NodeAgentInputs,
  { packageVersion }: Pick<Runtime, 'packageVersion'>,
): ContainerSpec {
  if (kubelet === 'hyperkube') return kubeletContainer(inputs);
  return builtinKubeletContainer(inputs, { image: kubeletImageReference(packageVersion), program: kubeletProgram });
}
