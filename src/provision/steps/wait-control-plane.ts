import type { StaticComponent } from '../../controlplane/component-flags.js';
import { resourceOf } from '../../kube/resource-ref.js';
import { applyDns } from '../apply-dns.js';
import { checkAnswers, checkHealth, type HealthInputs, type ProbedComponent } from '../component-health.js';
import { kubeletTimeoutMs, withKubelet } from '../give-way.js';
import { adminClient, readIdentities } from '../identities.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step, StepIo } from '../step.js';
import { waitComponent } from '../wait-component.js';
import { writeStaticPods } from '../write-static-pods.js';
import { startSmoke } from './smoke-test.js';
import { prepareMember } from './start-kubelet.js';

/** These are started when the API server answers: before that they would only crash, and be held back for it. */
const dependents: readonly StaticComponent[] = ['kube-controller-manager', 'kube-scheduler', 'kube-proxy'];

type Check = (component: ProbedComponent, inputs: HealthInputs) => Promise<unknown>;

/** Nothing else goes on until these serve, and until then a question costs next to nothing: nobody listens. */
const eagerMs = 50;

interface WaitAllOptions {
  readonly signal: AbortSignal;
  readonly check?: Check;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
}

async function waitAll(
  context: InstallContext,
  io: StepIo,
  components: readonly ProbedComponent[],
  { signal, check = checkHealth, intervalMs = 150, timeoutMs = context.options.timeoutMs }: WaitAllOptions,
): Promise<void> {
  const { options, runtime, release } = context;
  const inputs: HealthInputs = {
    cluster: options.cluster,
    release,
    identities: await readIdentities(options.cluster),
    timeoutMs: 5000,
    signal,
  };
  const wait = {
    engine: slot(context, 'engine'),
    inputs,
    runtime: { clock: runtime.clock, signal },
    timeoutMs,
    intervalMs,
    onWait: io.wait,
    kubeletLog: (lines: number) => slot(context, 'nodeAgent').lastLog(lines),
  };
  await Promise.all(components.map((component) => waitComponent(component, wait, check)));
}

/**
 * Done when the API server serves, before its start-up hooks have run: the kubelet that joins takes a second to come
 * so far that it needs them.
 */
export const waitApiServerStep: Step<InstallContext> = {
  id: 'apiserver',
  title: 'Wait for etcd and the API server',
  async run(context, io) {
    await withKubelet(context, io, (signal) => waitApiServer(context, io, signal), { first: 'etcd' });
    // The kubelet that joins finds them at its start.
    await writeStaticPods(context, dependents);
    context.slots.kube = adminClient(context.options.cluster, await readIdentities(context.options.cluster));
    return undefined;
  },
};

async function waitApiServer(context: InstallContext, io: StepIo, signal: AbortSignal): Promise<void> {
  await slot(context, 'nodeAgent').waitHealthy(kubeletTimeoutMs(context), signal);
  await waitAll(context, io, ['etcd'], { signal, intervalMs: eagerMs });
  const prepared = prepareMember(context);
  try {
    await Promise.all([
      waitAll(context, io, ['kube-apiserver'], { signal, check: checkAnswers, intervalMs: eagerMs }),
      prepared,
    ]);
  } finally {
    // A container that is still being made would escape a rollback.
    await Promise.allSettled([prepared]);
  }
}

async function waitControllers(context: InstallContext, io: StepIo, signal: AbortSignal): Promise<void> {
  await waitAll(context, io, ['kube-apiserver'], { signal });
  const kube = slot(context, 'kube');
  const { rbac } = slot(context, 'manifests');
  await Promise.all([
    ...rbac.map((object) => kube.apply(resourceOf(object), object, { fieldManager: 'hyperup', force: true })),
    // Before any other Service is made, which might be given its address.
    applyDns(context),
  ]);
  // It waits for what it needs, and so takes no time of its own.
  startSmoke(context);
  await Promise.all([
    waitAll(context, io, dependents, { signal }),
    waitAll(context, io, ['kubelet'], { signal, timeoutMs: kubeletTimeoutMs(context) }),
  ]);
}

export const waitControllersStep: Step<InstallContext> = {
  id: 'controllers',
  title: 'Start the controller manager, the scheduler and the proxy',
  async run(context, io) {
    await withKubelet(context, io, (signal) => waitControllers(context, io, signal), {
      first: 'kube-controller-manager',
    });
    return undefined;
  },
};
