import { join } from 'node:path';
import { HyperupError, isHyperupError } from '../../base/errors.js';
import { waitFor } from '../../base/wait.js';
import { plannedNode } from '../../controlplane/node-object.js';
import { nodeCriticalPriorityClass } from '../../controlplane/priority-class.js';
import { type ContainerSpec, managedLabel } from '../../docker/types.js';
import { ensureDirectory, writeHostFile } from '../../host/changes.js';
import { isSameChange } from '../../host/journal-format.js';
import { probeHealth } from '../../kube/http-health.js';
import type { KubeObject } from '../../kube/objects.js';
import { type ResourceRef, resources } from '../../kube/resource-ref.js';
import { builtinKubeletContainer } from '../../nodeagent/builtin-kubelet.js';
import { type ContainerNodeAgent, createContainerNodeAgent } from '../../nodeagent/container-node-agent.js';
import type { KubeletMode } from '../../nodeagent/kubelet-configuration.js';
import { clusterLabel, kubeletContainer } from '../../nodeagent/kubelet-container.js';
import { kubeletConfigFile } from '../cluster-files.js';
import { clusterInputs } from '../cluster-inputs.js';
import { checkHealth } from '../component-health.js';
import { readIdentities } from '../identities.js';
import { type InstallContext, slot } from '../install-context.js';
import { obtainBuiltinKubelet } from '../obtain-builtin-kubelet.js';
import type { Step } from '../step.js';

function kubeletSpec({ slots }: InstallContext, mode: KubeletMode): ContainerSpec {
  const inputs = slot({ slots }, 'nodeAgentInputs');
  return slots.builtin ? builtinKubeletContainer(inputs, slots.builtin) : kubeletContainer(inputs, mode);
}

function makeNodeAgent(context: InstallContext, mode: KubeletMode): ContainerNodeAgent {
  const { options, runtime } = context;
  return createContainerNodeAgent({
    engine: slot(context, 'engine'),
    spec: kubeletSpec(context, mode),
    clock: runtime.clock,
    checkHealth: async (signal) => {
      const url = `http://127.0.0.1:${options.cluster.ports.kubeletHealth}/healthz`;
      const answer = await probeHealth({ url, timeoutMs: 2000, signal });
      if (answer.statusCode === 200) return;
      throw new HyperupError('ApiFailed', `kubelet: ${url} says ${answer.statusCode}: ${answer.body.slice(0, 200)}`);
    },
  });
}

/** The agent of a mode, its container journaled: it may be made from now on. One entry, by what both modes bear, is for both. */
async function journaledAgent(context: InstallContext, mode: KubeletMode): Promise<ContainerNodeAgent> {
  const journal = slot(context, 'journal');
  const { name } = context.options.cluster;
  const labels = { [managedLabel]: 'true', [clusterLabel]: name };
  const change = { kind: 'container', name: `${name}-kubelet`, labels } as const;
  if (!journal.entries().some((entry) => isSameChange(entry.change, change))) await journal.record(change);
  return makeNodeAgent(context, mode);
}

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

/**
 * A standalone kubelet's container. It comes up while the certificates are issued, and begins with the first static pod
 * that is put before it. Where the API server runs already the kubelet is the node's own from the start.
 */
export const startKubeletStep: Step<InstallContext> = {
  id: 'kubelet',
  title: 'Start the kubelet',
  async run(context) {
    const { options, release, slots } = context;
    const { cluster } = options;
    const journal = slot(context, 'journal');
    const resolvConf = slots.resolvConf ?? '/etc/resolv.conf';
    const inputs = await clusterInputs(cluster, release, slot(context, 'engineInfo'), resolvConf);
    slots.controlPlane = inputs.controlPlane;
    slots.nodeAgentInputs = inputs.nodeAgent;
    await ensureDirectory(journal, join(cluster.paths.configDir, 'manifests'), 0o700, true);
    for (const mode of ['standalone', 'member'] as const) {
      const file = kubeletConfigFile(inputs.nodeAgent, mode);
      await writeHostFile(journal, file.path, file.data, file.mode);
    }
    if (options.cluster.kubelet === 'builtin') slots.builtin = await obtainBuiltinKubelet(context);
    // The built-in one waits for the API server by itself, and loses no time over it.
    const member = slots.builtin !== undefined || (await apiServerRuns(context));
    const agent = await journaledAgent(context, member ? 'member' : 'standalone');
    slots.nodeAgent = agent;
    await agent.start();
    if (!member) slots.standalone = agent;
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
    await agent.start();
    return undefined;
  },
};
