import { join } from 'node:path';
import { isHyperupError } from '../../base/errors.js';
import { waitFor } from '../../base/wait.js';
import { plannedNode } from '../../controlplane/node-object.js';
import { nodeCriticalPriorityClass } from '../../controlplane/priority-class.js';
import { roleLabel } from '../../docker/types.js';
import { ensureDirectory, writeHostFile } from '../../host/changes.js';
import type { KubeObject } from '../../kube/objects.js';
import { type ResourceRef, resources } from '../../kube/resource-ref.js';
import type { ContainerNodeAgent } from '../../nodeagent/container-node-agent.js';
import { startDnsImage } from '../apply-dns.js';
import { kubeletConfigFile } from '../cluster-files.js';
import { clusterInputs } from '../cluster-inputs.js';
import { checkHealth } from '../component-health.js';
import { startAgent, withKubelet } from '../give-way.js';
import { readIdentities } from '../identities.js';
import { type InstallContext, slot } from '../install-context.js';
import { journaledAgent, kubeletLabels } from '../node-agent.js';
import { obtainBuiltinKubelet } from '../obtain-builtin-kubelet.js';
import type { Step } from '../step.js';

/** True where an earlier run left an API server that is healthy. */
async function apiServerRuns(context: InstallContext): Promise<boolean> {
  const { options, release, runtime } = context;
  try {
    const identities = await readIdentities(options.cluster);
    const inputs = { cluster: options.cluster, release, identities, timeoutMs: 1000, signal: runtime.signal };
    await checkHealth('kube-apiserver', inputs);
    return true;
  } catch {
    return false;
  }
}

/** Starts the one that brings the control plane up, unless that was done already: by an earlier run or by `withKubelet`. */
async function startFirst(context: InstallContext): Promise<void> {
  const { slots } = context;
  if (slots.nodeAgent !== undefined) return;
  // The built-in one waits for the API server by itself, and loses no time over it.
  const member = slots.builtin !== undefined || (await apiServerRuns(context));
  const agent = await journaledAgent(context, member ? 'member' : 'standalone');
  if (member) await removeStandalone(context);
  await startAgent(agent);
  slots.nodeAgent = agent;
  if (!member) slots.standalone = agent;
}

/** One that a run which was cut short has left would fight with the node's own. */
async function removeStandalone(context: InstallContext): Promise<void> {
  if (context.record === undefined) return;
  const engine = slot(context, 'engine');
  const all = { ...kubeletLabels(context.options.cluster.name), [roleLabel]: 'kubelet-standalone' };
  const labels = Object.entries(all).map(([key, value]) => `${key}=${value}`);
  for (const { id } of await engine.listContainers({ all: true, labels })) {
    await engine.removeContainer(id, { force: true });
  }
}

/**
 * A standalone kubelet's container. It comes up while the certificates are issued, and begins with the first static pod
 * that is put before it. Where the API server runs already the kubelet is the node's own from the start.
 */
export const startKubeletStep: Step<InstallContext> = {
  id: 'kubelet',
  title: 'Start the kubelet',
  async run(context, io) {
    const { options, release, slots } = context;
    const { cluster } = options;
    const journal = slot(context, 'journal');
    const resolvConf = slots.resolvConf ?? '/etc/resolv.conf';
    const inputs = await clusterInputs(cluster, release, slot(context, 'engineInfo'), resolvConf, context.dns);
    slots.controlPlane = inputs.controlPlane;
    slots.nodeAgentInputs = inputs.nodeAgent;
    await ensureDirectory(journal, join(cluster.paths.configDir, 'manifests'), 0o700, true);
    for (const mode of ['standalone', 'member'] as const) {
      const file = kubeletConfigFile(inputs.nodeAgent, mode);
      await writeHostFile(journal, file.path, file.data, file.mode);
    }
    if (context.kubelet === 'builtin') slots.builtin = await obtainBuiltinKubelet(context);
    startDnsImage(context);
    await withKubelet(context, io, () => startFirst(context));
    return undefined;
  },
};

/** Makes the container of the node's own kubelet while the API server is coming up, so that joining is only a start. */
export async function prepareMember(context: InstallContext): Promise<void> {
  if (context.slots.standalone === undefined) return;
  const agent = await journaledAgent(context, 'member');
  await agent.prepare();
  context.slots.member = agent;
}

/** Nothing is left to start where the built-in kubelet has taken over. */
async function startMember({ kubelet }: InstallContext, agent: ContainerNodeAgent): Promise<void> {
  if (kubelet === 'hyperkube') await startAgent(agent);
}

/** The node's own kubelet takes over from the standalone one, whose containers go on running. */
export const joinKubeletStep: Step<InstallContext> = {
  id: 'join',
  title: 'Let the kubelet join the API server',
  skip: ({ slots }) => (slots.standalone === undefined ? "it is the node's own already" : undefined),
  async run(context, io) {
    const { options, runtime, slots } = context;
    const { clock, signal } = runtime;
    const kube = slot(context, 'kube');
    const node = plannedNode(slot(context, 'controlPlane'), slot(context, 'engineInfo'));
    const make = async <T extends KubeObject>(resource: ResourceRef<T>, object: T) => {
      await kube.create(resource, object, { fieldManager: 'hyperup' }).catch((error: unknown) => {
        if (!isHyperupError(error, 'AlreadyExists')) throw error;
      });
    };
    const agent = slot(context, 'member');
    await Promise.all([
      // A server that has only just begun to serve may still refuse.
      waitFor(
        'the API server to take the node',
        async () => {
          await Promise.all([
            make(resources.priorityClasses, nodeCriticalPriorityClass()),
            make(resources.nodes, node),
          ]);
          return { done: true, value: undefined };
        },
        { clock, timeoutMs: options.timeoutMs, intervalMs: 100, signal, onWait: io.wait },
      ),
      // Two of them at once would fight over the pods, and over the health port.
      slot(context, 'standalone').remove(),
    ]);
    slots.nodeAgent = agent;
    await withKubelet(context, io, () => startMember(context, agent));
    return undefined;
  },
};
