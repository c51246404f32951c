import type { Clock } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import type { ClusterOptions } from '../config/types.js';
import { staticComponents } from '../controlplane/component-flags.js';
import type { ContainerDetails, Engine } from '../docker/types.js';
import { managedLabel, roleLabel } from '../docker/types.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import { resources } from '../kube/resource-ref.js';
import { clusterLabel } from '../nodeagent/kubelet-container.js';
import { checkPki } from '../pki/check-pki.js';
import { planPki } from '../pki/plan-pki.js';
import { pkiOptions } from './cluster-inputs.js';
import { type ClusterRecord, recordedRelease, requireRecord } from './cluster-record.js';
import { findComponentContainer, podLabels } from './component-containers.js';
import { checkHealth, type HealthInputs, type ProbedComponent, portsOf } from './component-health.js';
import { dnsStatus } from './dns-status.js';
import { adminClient, pkiDir, readIdentities, serverUrl } from './identities.js';
import type { Runtime } from './runtime.js';
import { nodeFault } from './steps/wait-node.js';
import type { ClusterStatus, ComponentStatus } from './types.js';

const logLines = 8;

async function findContainer(engine: Engine, component: ProbedComponent, record: ClusterRecord) {
  if (component !== 'kubelet') return findComponentContainer(engine, component, record.cluster.nodeName);
  const labels = [`${managedLabel}=true`, `${roleLabel}=kubelet`, `${clusterLabel}=${record.cluster.name}`];
  const [found] = await engine.listContainers({ all: true, labels });
  return found === undefined ? undefined : engine.inspectContainer(found.id);
}

function containerFacts(container: ContainerDetails, runtime: Pick<Runtime, 'clock'>) {
  const label = container.labels[podLabels.restartCount];
  const running = container.state === 'running';
  return {
    ...(running ? { pid: container.pid, ageMs: runtime.clock.now() - Date.parse(container.startedAt) } : {}),
    restarts: label === undefined ? container.restartCount : Number(label),
  };
}

async function componentStatus(
  component: ProbedComponent,
  record: ClusterRecord,
  inputs: HealthInputs,
  engine: Engine,
  runtime: Pick<Runtime, 'clock'>,
): Promise<ComponentStatus> {
  const [health, container] = await Promise.allSettled([
    checkHealth(component, inputs),
    findContainer(engine, component, record),
  ]);
  const found = container.status === 'fulfilled' ? container.value : undefined;
  const facts = found === undefined ? {} : containerFacts(found, runtime);
  const ports = portsOf(component, record.cluster);
  if (health.status === 'fulfilled') {
    const { endpoint, version } = health.value;
    return {
      component,
      state: 'up',
      message: 'healthy',
      endpoint,
      ports,
      version,
      ...facts,
    };
  }
  const log = found === undefined ? '' : await engine.tailLogs(found.id, logLines).catch(() => '');
  const message = found === undefined ? `no container; ${messageOf(health.reason)}` : messageOf(health.reason);
  return { component, state: 'down', message, ports, ...facts, lastLog: log.split('\n').filter(Boolean) };
}

async function nodeStatus(record: ClusterRecord, kube: KubeClient, timeoutMs: number): Promise<ComponentStatus> {
  const name = record.cluster.nodeName;
  try {
    const node = await kube.find(resources.nodes, { name }, { timeoutMs });
    const fault = nodeFault(node, recordedRelease(record).version);
    const version = node?.status?.nodeInfo?.kubeletVersion;
    return {
      component: 'node',
      state: fault === undefined ? 'up' : 'down',
      message: fault ?? `${name} is Ready`,
      ...(version === undefined ? {} : { version }),
    };
  } catch (error) {
    return { component: 'node', state: 'unknown', message: messageOf(error) };
  }
}

/** When the first certificate ends, ISO 8601. */
async function firstExpiry(cluster: ClusterOptions, clock: Clock): Promise<string | undefined> {
  const findings = await checkPki(pkiDir(cluster), planPki(pkiOptions(cluster)), { clock });
  return findings.flatMap(({ expires }) => expires ?? []).sort()[0];
}

/**
 * Asks every component of the installed cluster how it is, all at once. Changes nothing. Throws `NotFound` where none
 * is installed, `PermissionDenied` where its keys can't be read.
 */
export async function readStatus(
  stateDir: string,
  engine: Engine,
  runtime: Pick<Runtime, 'clock' | 'signal'>,
  timeoutMs: number,
): Promise<ClusterStatus> {
  const record = await requireRecord(stateDir);
  const { cluster } = record;
  const identities = await readIdentities(cluster);
  const release = recordedRelease(record);
  const inputs: HealthInputs = { cluster, release, identities, timeoutMs, signal: runtime.signal };
  const kube = adminClient(cluster, identities);
  const factsOf = (container: ContainerDetails) => containerFacts(container, runtime);
  const found = await Promise.all([
    ...(['kubelet', ...staticComponents] as const).map((component) =>
      componentStatus(component, record, inputs, engine, runtime),
    ),
    dnsStatus({ record, kube, engine, timeoutMs, factsOf }),
    nodeStatus(record, kube, timeoutMs),
  ]).finally(() => kube.close());
  const components = found.filter((component) => component !== undefined);
  const expires = await firstExpiry(cluster, runtime.clock);
  return {
    installed: record.state === 'installed',
    healthy: record.state === 'installed' && components.every(({ state }) => state === 'up'),
    cluster: cluster.name,
    kubernetesVersion: cluster.kubernetesVersion,
    server: serverUrl(cluster),
    kubelet: record.kubelet,
    ...(expires === undefined ? {} : { certificatesExpire: expires }),
    components,
  };
}
