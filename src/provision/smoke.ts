import { randomBytes } from 'node:crypto';
import { HyperupError, messageOf } from '../base/errors.js';
import { type WaitOptions, waitFor } from '../base/wait.js';
import type { ContainerEngine } from '../docker/types.js';
import { probeHealth } from '../kube/http-health.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import type { V1Service } from '../kube/objects.js';
import type { V1Pod } from '../kube/pod-objects.js';
import { resources } from '../kube/resource-ref.js';
import { componentImage } from '../release/image-of.js';
import type { ReleaseSpec } from '../release/types.js';
import { podLabels } from './component-containers.js';
import type { Runtime } from './runtime.js';
import { type Finding, insideFault, outsideFault, type SmokeNames } from './smoke-names.js';
import { smokePort, smokeServer } from './smoke-program.js';

export interface SmokeOptions {
  readonly kube: KubeClient;
  readonly engine: Pick<ContainerEngine, 'listContainers'>;
  readonly release: ReleaseSpec;
  /** The built-in kubelet's image, for releases none of whose images has kubectl. */
  readonly kubeletImage: string;
  readonly runtime: Pick<Runtime, 'clock' | 'signal'>;
  readonly timeoutMs: number;
  readonly onWait: (reason: string) => void;
  /** What the pod is to find by name; then it runs from the built-in kubelet's image. */
  readonly names?: SmokeNames | undefined;
  /** Called with what is worth a warning. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

type SmokePodOptions = Pick<SmokeOptions, 'release' | 'kubeletImage' | 'names'>;

/** A smoke test that is under way. */
export interface RunningSmoke {
  readonly done: Promise<string>;
  /** Ends it, which removes what it made. */
  stop(): Promise<void>;
}

const namespace = 'kube-system';
/** One question about a name of the cluster's is answered from memory; it is asked again soon where it is lost. */
const insideMs = 400;
/** The DNS server gives up on its own after 4.5 seconds. */
const outsideMs = 5000;
/**
 * What the smoke pod runs, without an API server: a web server that gives the pod's own host name. That is kubectl's
 * static file server, which every hyperkube image has, or else a line of JavaScript in the built-in kubelet's image, which
 * can also look for names.
 */
function smokeProgram({ release, kubeletImage, names }: SmokePodOptions): {
  readonly image: string;
  readonly command: string[];
} {
  const { kubectl } = release.components;
  if (names || !kubectl) return { image: kubeletImage, command: ['/usr/local/bin/node', '-e', smokeServer] };
  return {
    image: componentImage(release, 'kubectl'),
    command: [
      ...kubectl.command,
      'proxy',
      '--server=http://127.0.0.1:1',
      '--address=0.0.0.0',
      `--port=${smokePort}`,
      '--accept-hosts=.*',
      '--api-prefix=/none/',
      '--www=/etc',
      '--www-prefix=/smoke/',
    ],
  };
}

export function smokePod(name: string, options: SmokePodOptions): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'io.hyperup.smoke': name } },
    spec: {
      // Its own: the namespace's default one comes from a controller, seconds after the API server.
      serviceAccountName: name,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'web',
          ...smokeProgram(options),
          imagePullPolicy: 'IfNotPresent',
          ports: [{ containerPort: smokePort }],
        },
      ],
    },
  };
}

function smokeService(name: string): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { 'io.hyperup.smoke': name }, ports: [{ port: 80, targetPort: smokePort }] },
  };
}

/** Why a pod isn't Ready, in the kubelet's words. */
function podReason(pod: V1Pod | undefined): string | undefined {
  if (!pod) return 'the smoke pod is gone';
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready?.status === 'True') return undefined;
  const waiting = pod.status?.containerStatuses?.[0]?.state?.waiting;
  return `smoke pod ${pod.status?.phase ?? 'Pending'}${waiting?.reason ? `: ${waiting.reason} ${waiting.message ?? ''}` : ''}`;
}

/**
 * Proves that the cluster does its work: a pod is scheduled, runs, is reached through its Service's address from this
 * host, and is gone again. Leaves nothing behind, whatever happens. Throws `Unhealthy` naming the part that failed,
 * with the pod's events.
 */
export async function runSmoke(options: SmokeOptions): Promise<string> {
  const { kube, engine, runtime, timeoutMs, onWait } = options;
  const name = `hyperup-smoke-${randomBytes(3).toString('hex')}`;
  const key = { name, namespace };
  const wait = { clock: runtime.clock, timeoutMs, intervalMs: 80, signal: runtime.signal, onWait };
  const startedMs = runtime.clock.monotonicMs();
  try {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } } as const;
    await kube.create(resources.serviceAccounts, account);
    const service = await kube.create(resources.services, smokeService(name));
    const address = service.spec?.clusterIP ?? '';
    // An API server that has only just come up may not have seen the account yet.
    await waitFor(
      'the smoke pod to be accepted',
      async () => ({ done: true, value: await kube.create(resources.pods, smokePod(name, options)) }),
      wait,
    );
    await waitFor(
      'the smoke pod',
      async () => {
        const reason = podReason(await kube.find(resources.pods, key));
        return reason === undefined ? { done: true, value: undefined } : { done: false, reason };
      },
      wait,
    );
    const host = address.includes(':') ? `[${address}]` : address;
    await waitFor(
      `the smoke pod through its Service ${address}`,
      async () => {
        const answer = await probeHealth({
          url: `http://${host}/smoke/hostname`,
          timeoutMs: 1000,
          signal: runtime.signal,
        });
        if (answer.statusCode === 200 && answer.body.trim() === name) return { done: true, value: undefined };
        return { done: false, reason: `the Service answered ${answer.statusCode}, not from the smoke pod` };
      },
      wait,
    );
    if (options.names) await findNames(host, options.names, options, wait);
  } catch (error) {
    if (!(error instanceof HyperupError) || error.code === 'Aborted') throw error;
    throw new HyperupError('Unhealthy', `smoke test: ${error.message}`, {
      cause: error,
      output: await events(kube, name),
      hint: `hyperup logs kubelet${options.names ? ', hyperup logs dns' : ''} and hyperup logs kube-proxy show more.`,
    });
  } finally {
    await remove(kube, key);
  }
  // Deleted at once, so that what is awaited is the kubelet's part: the containers' end, not the API object's.
  await waitFor(
    'the smoke pod to be gone',
    async () => {
      const left = await engine.listContainers({ labels: [`${podLabels.podName}=${name}`] });
      const pod = await kube.find(resources.pods, key);
      if (pod === undefined && left.length === 0) return { done: true, value: undefined };
      return { done: false, reason: `${left.length} of its containers still run` };
    },
    wait,
  );
  const found = options.names ? ', found the cluster by name' : '';
  return `a pod ran, answered through its Service${found} and is gone, ${((runtime.clock.monotonicMs() - startedMs) / 1000).toFixed(1)} s`;
}

/** The pod finds the cluster's names. Throws `Timeout` saying which it doesn't, and warns of one outside. */
async function findNames(
  host: string,
  names: SmokeNames,
  { runtime, onWarning }: Pick<SmokeOptions, 'runtime' | 'onWarning'>,
  wait: WaitOptions,
): Promise<void> {
  const ask = async (wanted: readonly string[], timeout: number) => {
    const query = wanted.map((name) => `name=${encodeURIComponent(name)}`).join('&');
    const url = `http://${host}/smoke/dns?${query}&timeout=${timeout}`;
    const answer = await probeHealth({ url, timeoutMs: 10_000, signal: runtime.signal });
    return JSON.parse(answer.body) as Readonly<Record<string, Finding>>;
  };
  await waitFor(
    "the cluster's DNS",
    async () => {
      const reason = insideFault(names, await ask(names.inside, insideMs));
      return reason === undefined ? { done: true, value: undefined } : { done: false, reason };
    },
    wait,
  );
  if (names.outside === undefined) return;
  const warning = outsideFault(names, await ask([names.outside], outsideMs));
  if (warning !== undefined) onWarning?.(warning);
}

async function remove(kube: KubeClient, key: { name: string; namespace: string }): Promise<void> {
  await Promise.allSettled([
    kube.delete(resources.pods, key, { gracePeriodSeconds: 0 }),
    kube.delete(resources.services, key),
    kube.delete(resources.serviceAccounts, key),
  ]);
}

async function events(kube: KubeClient, name: string): Promise<string> {
  try {
    const list = await kube.list(resources.events, { namespace, fieldSelector: `involvedObject.name=${name}` });
    return list.items.map((event) => `${event.type} ${event.reason}: ${event.message}`).join('\n');
  } catch (error) {
    return `events: ${messageOf(error)}`;
  }
}
