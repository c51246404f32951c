import { HyperupError } from '../base/errors.js';
import type { ClusterOptions } from '../config/types.js';
import { probeHealth } from '../kube/http-health.js';
import type { Identity } from '../pki/types.js';
import type { Component, ReleaseSpec } from '../release/types.js';
import type { ClusterIdentities } from './identities.js';

/** The components that have a health endpoint of their own. */
export type ProbedComponent = Exclude<Component, 'kubectl'>;

export interface HealthInputs {
  readonly cluster: ClusterOptions;
  readonly release: ReleaseSpec;
  readonly identities: ClusterIdentities;
  /** For each answer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a healthy component said of itself. */
export interface Health {
  readonly endpoint: string;
  readonly version: string;
}

interface Endpoint {
  readonly url: string;
  readonly caPem: string | undefined;
  readonly identity: Identity | undefined;
  readonly healthy: (body: string) => boolean;
  /** Where its version can be read; a path of the same server, or a URL. */
  readonly versionPath: string;
  readonly readVersion: (body: string) => string | undefined;
}

/** The label was `gitVersion` up to 1.18 and is `git_version` since. */
const buildInfo = (body: string) => /^kubernetes_build_info\{[^}]*git_?[vV]ersion="([^"]+)"/m.exec(body)?.[1];

function jsonField(field: string): (body: string) => string | undefined {
  return (body) => {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null) return undefined;
    const found = (value as Readonly<Record<string, unknown>>)[field];
    return typeof found === 'string' ? found : undefined;
  };
}

function endpointOf(component: ProbedComponent, { cluster, identities }: HealthInputs): Endpoint {
  const { ports } = cluster;
  const local = (port: number, path: string) => `https://127.0.0.1:${port}${path}`;
  const isOk = (body: string) => body.trim() === 'ok';
  const metrics = { versionPath: '/metrics', readVersion: buildInfo };
  switch (component) {
    case 'etcd':
      return {
        url: local(ports.etcdClient, '/health'),
        caPem: identities.etcdCaPem,
        identity: identities.etcdClient,
        healthy: (body) => jsonField('health')(body) === 'true',
        versionPath: '/version',
        readVersion: jsonField('etcdserver'),
      };
    case 'kube-apiserver':
      return {
        url: local(ports.api, '/readyz'),
        caPem: identities.caPem,
        identity: identities.admin,
        healthy: isOk,
        versionPath: '/version',
        readVersion: jsonField('gitVersion'),
      };
    case 'kube-controller-manager':
      return {
        url: local(ports.controllerManager, '/healthz'),
        caPem: identities.caPem,
        identity: identities.health,
        healthy: isOk,
        ...metrics,
      };
    case 'kube-scheduler':
      return {
        url: local(ports.scheduler, '/healthz'),
        caPem: identities.caPem,
        identity: identities.health,
        healthy: isOk,
        ...metrics,
      };
    case 'kubelet':
      return {
        url: local(ports.kubelet, '/healthz'),
        caPem: identities.caPem,
        identity: identities.admin,
        healthy: isOk,
        ...metrics,
      };
    case 'kube-proxy':
      // It serves its health in plain text only, on loopback.
      return {
        url: `http://127.0.0.1:${ports.proxyHealth}/healthz`,
        caPem: undefined,
        identity: undefined,
        healthy: (body) => body.includes('lastUpdated'),
        versionPath: `http://127.0.0.1:${ports.proxyMetrics}/metrics`,
        readVersion: buildInfo,
      };
  }
}

/** The ports of a component, for status. */
export function portsOf(component: ProbedComponent, { ports }: ClusterOptions): readonly number[] {
  const table: Readonly<Record<ProbedComponent, readonly number[]>> = {
    etcd: [ports.etcdClient, ports.etcdPeer],
    'kube-apiserver': [ports.api],
    'kube-controller-manager': [ports.controllerManager],
    'kube-scheduler': [ports.scheduler],
    'kube-proxy': [ports.proxyHealth, ports.proxyMetrics],
    kubelet: [ports.kubelet, ports.kubeletHealth],
  };
  return table[component];
}

function assertVersion(component: ProbedComponent, got: string | undefined, release: ReleaseSpec): string {
  const wanted = component === 'etcd' ? release.etcdSeries : release.version;
  const fits = component === 'etcd' ? got?.startsWith(`${wanted}.`) : got === wanted;
  if (got !== undefined && fits) return got;
  throw new HyperupError('Unhealthy', `${component}: got version ${got ?? 'unknown'}, want ${wanted}`, {
    hint: 'Another process answers on its port, or an old image is in the engine: hyperup images list.',
  });
}

/**
 * Asks whether a component serves at all, be it with a refusal: its start-up hooks may still run. Throws as
 * `probeHealth` does.
 */
export async function checkAnswers(component: ProbedComponent, inputs: HealthInputs): Promise<void> {
  const { url, caPem } = endpointOf(component, inputs);
  await probeHealth({ url, caPem, timeoutMs: inputs.timeoutMs, signal: inputs.signal });
}

/**
 * Asks one component whether it is up, over TLS where it has that, and which version it is. Throws `ApiFailed` or
 * `Timeout` while it isn't up, `Unhealthy` where the version is another one.
 */
export async function checkHealth(component: ProbedComponent, inputs: HealthInputs): Promise<Health> {
  const endpoint = endpointOf(component, inputs);
  const ask = (url: string) =>
    probeHealth({
      url,
      caPem: endpoint.caPem,
      clientCertPem: endpoint.identity?.certPem,
      clientKeyPem: endpoint.identity?.keyPem,
      timeoutMs: inputs.timeoutMs,
      signal: inputs.signal,
    });
  const answer = await ask(endpoint.url);
  if (answer.statusCode !== 200 || !endpoint.healthy(answer.body)) {
    const said = answer.body.trim().split('\n').slice(0, 3).join(' ').slice(0, 300);
    throw new HyperupError('ApiFailed', `${component}: ${endpoint.url} says ${answer.statusCode}: ${said}`);
  }
  const version = await ask(new URL(endpoint.versionPath, endpoint.url).href);
  const found = version.statusCode === 200 ? endpoint.readVersion(version.body) : undefined;
  if (version.statusCode !== 200) {
    throw new HyperupError('ApiFailed', `${component}: ${endpoint.versionPath} says ${version.statusCode}`);
  }
  return { endpoint: endpoint.url, version: assertVersion(component, found, inputs.release) };
}
