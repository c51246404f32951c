import { HyperupError } from '../base/errors.js';
import type { ClusterQuery } from '../config/types.js';
import type { StaticComponent } from '../controlplane/component-flags.js';
import { type ContainerEngine, managedLabel, roleLabel } from '../docker/types.js';
import { clusterLabel } from '../nodeagent/kubelet-container.js';
import type { Component } from '../release/types.js';
import { type ClusterRecord, requireRecord } from './cluster-record.js';
import { findComponentContainer, findDnsContainer } from './component-containers.js';
import { makeRuntime } from './runtime.js';
import { withEngine } from './with-engine.js';

export interface ComponentLogOptions {
  readonly follow: boolean;
  /** How many of the last lines to begin with. */
  readonly tail: number;
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

async function containerId(
  engine: ContainerEngine,
  component: Component | 'dns',
  record: ClusterRecord,
): Promise<string> {
  if (component === 'kubectl') {
    throw new HyperupError('Usage', 'logs kubectl: kubectl is a command, it has no log');
  }
  if (component === 'dns') {
    const server = record.dns ?? 'none';
    if (server === 'none') throw new HyperupError('NotFound', 'logs dns: this cluster was made without a DNS server');
    const found = await findDnsContainer(engine, server);
    if (found) return found.id;
  } else if (component === 'kubelet') {
    const labels = [`${managedLabel}=true`, `${roleLabel}=kubelet`, `${clusterLabel}=${record.cluster.name}`];
    const [found] = await engine.listContainers({ all: true, labels });
    if (found) return found.id;
  } else {
    const found = await findComponentContainer(engine, component as StaticComponent, record.cluster.nodeName);
    if (found) return found.id;
  }
  throw new HyperupError('NotFound', `logs ${component}: it has no container`, {
    hint: component === 'kubelet' ? 'hyperup install starts it.' : 'hyperup logs kubelet tells why.',
  });
}

/**
 * A component's log, read from its newest container: works while the API server is down. Resolves at the end, or when
 * the signal fires. Throws `NotFound` where it has no container.
 */
export async function componentLogs(
  query: ClusterQuery,
  component: Component | 'dns',
  options: ComponentLogOptions,
): Promise<void> {
  const record = await requireRecord(query.stateDir);
  const runtime = makeRuntime({}, () => {}, options.signal);
  await withEngine(query.engineHost, runtime, async (engine) => {
    const id = await containerId(engine, component, record);
    if (options.follow) {
      await engine.followLogs(id, (line) => options.onLine(line), { tail: options.tail, signal: options.signal });
      return;
    }
    const text = await engine.tailLogs(id, options.tail);
    for (const line of text.replace(/\n$/, '').split('\n')) options.onLine(line);
  });
}
