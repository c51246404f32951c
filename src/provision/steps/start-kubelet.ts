import { HyperupError, isHyperupError } from '../../base/errors.js';
import { waitFor } from '../../base/wait.js';
import { plannedNode } from '../../controlplane/node-object.js';
import { isSameChange } from '../../host/journal-format.js';
import { probeHealth } from '../../kube/http-health.js';
import { resources } from '../../kube/resource-ref.js';
import { type ContainerNodeAgent, createContainerNodeAgent } from '../../nodeagent/container-node-agent.js';
import type { KubeletMode } from '../../nodeagent/kubelet-configuration.js';
import { kubeletContainer } from '../../nodeagent/kubelet-container.js';
import { checkHealth } from '../component-health.js';
import { readIdentities } from '../identities.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step } from '../step.js';
import { writeStaticPods } from '../write-static-pods.js';

function makeNodeAgent(context: InstallContext, mode: KubeletMode): ContainerNodeAgent {
  const { options, runtime } = context;
  return createContainerNodeAgent({
    engine: slot(context, 'engine'),
    spec: kubeletContainer(slot(context, 'nodeAgentInputs'), mode),
    clock: runtime.clock,
    checkHealth: async (signal) => {
      const url = `http://127.0.0.1:${options.cluster.ports.kubeletHealth}/healthz`;
      const answer = await probeHealth({ url, timeoutMs: 2000, signal });
      if (answer.statusCode === 200) return;
      throw new HyperupError('ApiFailed', `kubelet: ${url} says ${answer.statusCode}: ${answer.body.slice(0, 200)}`);
    },
  });
}

async function startAgent(context: InstallContext, mode: KubeletMode): Promise<void> {
  const agent = makeNodeAgent(context, mode);
  context.slots.nodeAgent = agent;
  const journal = slot(context, 'journal');
  const spec = kubeletContainer(slot(context, 'nodeAgentInputs'), mode);
  const change = { kind: 'container', name: spec.name, labels: spec.labels ?? {} } as const;
  if (!journal.entries().some((entry) => isSameChange(entry.change, change))) await journal.record(change);
  await agent.start(context.runtime.signal);
}

/** True where an earlier run left an API server that answers. */
async function apiServerAnswers(context: InstallContext): Promise<boolean> {
  const { options, release, runtime } = context;
  const identities = await readIdentities(options.cluster);
  const inputs = { cluster: options.cluster, release, identities, timeoutMs: 1000, signal: runtime.signal };
  return checkHealth('kube-apiserver', inputs).then(
    () => true,
    () => false,
  );
}

/** A standalone kubelet's container, and with it etcd and the API server as its first static pods. */
export const startKubeletStep: Step<InstallContext> = {
  id: 'kubelet',
  title: 'Start the kubelet with etcd and the API server',
  async run(context) {
    const { options, runtime } = context;
    await writeStaticPods(context, ['etcd', 'kube-apiserver']);
    const mode = (await apiServerAnswers(context)) ? 'member' : 'standalone';
    await startAgent(context, mode);
    await slot(context, 'nodeAgent').waitHealthy(options.timeoutMs, runtime.signal);
    return undefined;
  },
};

/** The same kubelet again, as the node's own. Its containers go on running. */
export const joinKubeletStep: Step<InstallContext> = {
  id: 'join',
  title: 'Let the kubelet join the API server',
  async run(context, io) {
    const { clock, signal } = context.runtime;
    const kube = slot(context, 'kube');
    const node = plannedNode(slot(context, 'controlPlane'), slot(context, 'engineInfo'));
    // A server that has only just begun to serve may still refuse.
    await waitFor(
      'the API server to take the node',
      async () => {
        await kube.create(resources.nodes, node, { fieldManager: 'hyperup' }).catch((error: unknown) => {
          if (!isHyperupError(error, 'AlreadyExists')) throw error;
        });
        return { done: true, value: undefined };
      },
      { clock, timeoutMs: context.options.timeoutMs, intervalMs: 100, signal, onWait: io.wait },
    );
    await startAgent(context, 'member');
    return undefined;
  },
};
