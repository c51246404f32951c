import { isIPv6 } from 'node:net';
import { readTextIfPresent } from '../../base/files.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import { isHostNetwork, podUidOf } from '../pod/pod-names.js';
import { type PodEvents, PodFailure } from '../types.js';
import { hostFile } from './host-file.js';
import {
  clusterSearches,
  fitSearches,
  formatResolvConf,
  mergeDnsConfig,
  parseResolvConf,
  type ResolverConfig,
} from './resolv-conf.js';

/** The most that resolvers take (v1.20 `pkg/apis/core/validation`). */
const maxNameservers = 3;
const v120Limits = { domains: 6, characters: 256 };
const missingClusterDns =
  'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.';

export interface DnsOptions {
  /** The cluster's name servers. */
  readonly clusterDns: readonly string[];
  /** `cluster.local`; empty for none. */
  readonly clusterDomain: string;
  /** The host's file that pods' are made from; empty: pods ask themselves. */
  readonly resolvConfPath: string;
  readonly hostRoot: string;
  readonly events: PodEvents;
  /** Tells IPv6 nodes apart where there is no file. */
  readonly hostIps?: readonly string[] | undefined;
  /** v1.20's 6 domains and 256 characters unless given; 32 and 2048 from 1.28. */
  readonly searchLimits?: { readonly domains: number; readonly characters: number } | undefined;
}

export interface Dns {
  /**
   * The pod's resolv.conf, whole; empty where the pod asked for none of its own (`None` without a configuration), which
   * leaves the engine's. Its limits are told by events. Throws PodFailure `CreatePodSandboxError` where the host's file
   * can't be read.
   */
  resolvConf(pod: V1Pod): Promise<string>;
}

/** Makes pods' resolv.conf by their DNS policy (v1.20 `pkg/kubelet/network/dns/dns.go` `GetPodDNS`). */
export function createDns(options: DnsOptions): Dns {
  const { clusterDns, clusterDomain, resolvConfPath, hostRoot, events } = options;
  const { hostIps = [], searchLimits = v120Limits } = options;

  async function readHost(): Promise<ResolverConfig> {
    if (resolvConfPath === '') return { nameservers: [], searches: [], options: [] };
    const text = await readTextIfPresent(await hostFile(hostRoot, resolvConfPath));
    if (text === undefined) {
      throw new PodFailure('CreatePodSandboxError', `open ${resolvConfPath}: no such file or directory`);
    }
    return parseResolvConf(text);
  }

  function defaultConfig(host: ResolverConfig): ResolverConfig {
    if (resolvConfPath !== '') return host;
    // No server means the machine itself to a resolver, and that is what keeps the engine from putting in its own.
    const own = hostIps.map((ip) => (isIPv6(ip) ? '::1' : '127.0.0.1'));
    return { nameservers: own.length > 0 ? own : ['127.0.0.1'], searches: ['.'], options: [] };
  }

  async function baseConfig(pod: V1Pod): Promise<ResolverConfig> {
    const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
    if (policy === 'None') return { nameservers: [], searches: [], options: [] };
    const host = await readHost();
    if (policy === 'Default' || (policy === 'ClusterFirst' && isHostNetwork(pod))) return defaultConfig(host);
    if (clusterDns.length > 0) {
      const searches = clusterSearches(pod.metadata?.namespace ?? '', clusterDomain, host.searches);
      return { nameservers: clusterDns, searches, options: ['ndots:5'] };
    }
    const { name = '', namespace = '' } = pod.metadata ?? {};
    events.node('Warning', 'MissingClusterDNS', missingClusterDns);
    events.pod(
      pod,
      'Warning',
      'MissingClusterDNS',
      `pod: "${name}_${namespace}(${podUidOf(pod)})". ${missingClusterDns}`,
    );
    return defaultConfig(host);
  }

  function fit(pod: V1Pod, config: ResolverConfig): ResolverConfig {
    const nameservers = config.nameservers.slice(0, maxNameservers);
    if (nameservers.length < config.nameservers.length) {
      events.pod(
        pod,
        'Warning',
        'DNSConfigForming',
        `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${nameservers.join(' ')}`,
      );
    }
    const searches = fitSearches(config.searches, searchLimits);
    if (searches.length < config.searches.length) {
      events.pod(
        pod,
        'Warning',
        'DNSConfigForming',
        `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
      );
    }
    return { ...config, nameservers, searches };
  }

  return {
    async resolvConf(pod) {
      const base = await baseConfig(pod);
      const dnsConfig = pod.spec?.dnsConfig;
      return formatResolvConf(fit(pod, dnsConfig ? mergeDnsConfig(base, dnsConfig) : base));
    },
  };
}
