import { isIP, isIPv4 } from 'node:net';
import { canonicalAddress } from '../../base/cidr.js';
import { recordTypes } from '../wire/constants.js';
import { addressFromReverse } from './reverse-name.js';
import type { DnsPort, DnsRecord, Versioned, ZoneFinding } from './types.js';
import {
  endpointsOfHost,
  type HostEndpoint,
  hostnameOf,
  publishedEndpoints,
  type ServiceEntry,
  type ZoneStore,
} from './zone-store.js';

/** Seconds that records of the cluster may be kept; what CoreDNS' Corefile has in every cluster. */
export const clusterTtl = 30;
/** The specification's version, which `dns-version` tells, and how long that may be kept. */
const schemaVersion = '1.1.0';
const schemaTtl = 28_800;

export interface ZoneOptions {
  readonly store: ZoneStore;
  /** `cluster.local`, without a dot at its end. */
  readonly domain: string;
  /** The Service in front of this server: its addresses are the zone's name server's. */
  readonly nsService: { readonly namespace: string; readonly name: string };
}

export interface Zone {
  /** The labels before the cluster's domain, from the left, in lower case. */
  lookUp(labels: readonly string[], type: number): ZoneFinding;
  /** Who has the address that an `in-addr.arpa` or `ip6.arpa` name stands for; all its labels but those two. */
  lookUpReverse(labels: readonly string[], ipv6: boolean, type: number): ZoneFinding;
}

const nameError: ZoneFinding = { kind: 'nameError' };
const noData: ZoneFinding = { kind: 'noData' };
const unknown: ZoneFinding = { kind: 'unknown' };

/**
 * The cluster's names after "Kubernetes DNS-Based Service Discovery" 1.1.0, and where that is silent as CoreDNS 1.7 has
 * it (`plugin/kubernetes/kubernetes.go`, `pods insecure`): a headless Service without endpoints is no name, names that
 * only have names below them are there and empty, ports without endpoints' names answer for addresses too.
 */
export function createZone({ store, domain, nsService }: ZoneOptions): Zone {
  const soa: DnsRecord = { type: 'soa', ttl: clusterTtl };
  const nsName = `ns.dns.${domain}`;

  function nsAddresses(): { readonly records: readonly DnsRecord[]; readonly owner: Versioned } {
    const entry = store.find(nsService.namespace, nsService.name);
    return { records: addressRecords(entry?.service?.ips ?? []), owner: store.all };
  }

  function apex(type: number): ZoneFinding {
    if (type === recordTypes.soa) return { kind: 'records', answers: [soa], owner: store.all };
    if (type !== recordTypes.ns) return noData;
    const { records, owner } = nsAddresses();
    const additional = records.map((record) => ({ ...record, name: nsName }));
    return { kind: 'records', answers: [{ type: 'ns', ttl: clusterTtl, target: nsName }], additional, owner };
  }

  function lookUpPod(label: string, type: number): ZoneFinding {
    const ip = addressOfPodLabel(label);
    if (ip === undefined) return nameError;
    return typed([{ type: 'address', ttl: clusterTtl, ip }], type);
  }

  function lookUpService(entry: ServiceEntry, below: readonly string[], type: number): ZoneFinding {
    const { service } = entry;
    if (service === undefined) return nameError;
    if (service.kind === 'external') {
      // An address is no name: nothing to be an alias of.
      if (below.length > 0 || service.externalName === '' || isIP(service.externalName) !== 0) return nameError;
      return { kind: 'alias', target: service.externalName };
    }
    const base = `${entry.name}.${entry.namespace}.svc.${domain}`;
    const [first = '', second = ''] = below;
    if (below.length === 0) {
      return service.kind === 'headless'
        ? endpointFinding([...publishedEndpoints(entry)], anyPort, base, type, entry)
        : clusterFinding(entry, service.ports, base, type);
    }
    if (below.length === 1) {
      if (first.startsWith('_')) {
        const ports = service.kind === 'headless' ? endpointPorts(entry) : service.ports;
        const has = ports.some(({ protocol, name }) => protocol === first.slice(1) && name !== '');
        return has ? { kind: 'noData', owner: entry } : nameError;
      }
      return endpointFinding(endpointsOfHost(entry, first), anyPort, base, type, entry);
    }
    if (below.length > 2 || first.length < 2 || !first.startsWith('_') || !second.startsWith('_')) return nameError;
    const matches = ({ name, protocol }: DnsPort) => name === first.slice(1) && protocol === second.slice(1);
    if (service.kind === 'headless') {
      const found = [...publishedEndpoints(entry)].filter(({ set }) => set.ports.some(matches));
      return endpointFinding(found, matches, base, type, entry);
    }
    const ports = service.ports.filter(matches);
    return ports.length === 0 ? nameError : clusterFinding(entry, ports, base, type);
  }

  return {
    lookUp(labels, type) {
      const last = labels.at(-1);
      if (last === undefined) return apex(type);
      if (last === 'dns-version' && labels.length === 1) {
        if (type !== recordTypes.txt) return noData;
        return { kind: 'records', answers: [{ type: 'txt', ttl: schemaTtl, text: schemaVersion }] };
      }
      if (last === 'dns') {
        if (labels.length === 1) return noData;
        if (labels.length > 2 || labels[0] !== 'ns') return nameError;
        const { records, owner } = nsAddresses();
        return typed(records, type, owner);
      }
      if (last !== 'svc' && last !== 'pod') return nameError;
      const namespace = labels.at(-2);
      if (namespace === undefined) return noData;
      const name = labels.at(-3);
      if (name === undefined || last === 'pod') {
        if (!store.hasNamespace(namespace)) return nameError;
        if (name === undefined) return noData;
        return labels.length === 3 ? lookUpPod(name, type) : nameError;
      }
      const entry = store.find(namespace, name);
      return entry === undefined ? nameError : lookUpService(entry, labels.slice(0, -3), type);
    },

    lookUpReverse(labels, ipv6, type) {
      const ip = addressFromReverse(labels, ipv6);
      if (ip === undefined) return unknown;
      const service = store.serviceByIp(ip);
      const names: string[] = [];
      if (service !== undefined) names.push(`${service.name}.${service.namespace}.svc.${domain}`);
      else {
        for (const entry of store.endpointsByIp(ip)) {
          if (entry.service === undefined) continue;
          for (const { endpoint } of publishedEndpoints(entry)) {
            if (endpoint.ip !== ip) continue;
            names.push(`${hostnameOf(endpoint)}.${entry.name}.${entry.namespace}.svc.${domain}`);
          }
        }
      }
      if (names.length === 0) return unknown;
      if (type !== recordTypes.ptr) return { kind: 'noData', owner: store.addresses };
      const answers = [...new Set(names)].map((target): DnsRecord => ({ type: 'ptr', ttl: clusterTtl, target }));
      return { kind: 'records', answers, owner: store.addresses };
    },
  };
}

const anyPort = () => true;

function addressRecords(ips: Iterable<string>): DnsRecord[] {
  return [...new Set(ips)].map((ip) => ({ type: 'address', ttl: clusterTtl, ip }));
}

/** Those of the addresses that are of the type asked for. */
function typed(records: readonly DnsRecord[], type: number, owner?: Versioned): ZoneFinding {
  const wanted = type === recordTypes.a ? 4 : type === recordTypes.aaaa ? 6 : 0;
  const answers = records.filter((record) => record.type === 'address' && isIP(record.ip) === wanted);
  return answers.length === 0 ? { kind: 'noData', owner } : { kind: 'records', answers, owner };
}

function clusterFinding(entry: ServiceEntry, ports: readonly DnsPort[], base: string, type: number): ZoneFinding {
  const ips = entry.service?.ips ?? [];
  if (type !== recordTypes.srv) return typed(addressRecords(ips), type, entry);
  return srvFinding(
    ports.map(({ port }) => ({ port, target: base })),
    addressRecords(ips).map((record) => ({ ...record, name: base })),
    entry,
  );
}

function endpointFinding(
  found: readonly HostEndpoint[],
  matches: (port: DnsPort) => boolean,
  base: string,
  type: number,
  entry: ServiceEntry,
): ZoneFinding {
  if (found.length === 0) return nameError;
  if (type !== recordTypes.srv) return typed(addressRecords(found.map(({ endpoint }) => endpoint.ip)), type, entry);
  const services: { port: number; target: string }[] = [];
  const additional = new Map<string, DnsRecord>();
  for (const { endpoint, set } of found) {
    const target = `${hostnameOf(endpoint)}.${base}`;
    for (const port of set.ports) {
      if (!matches(port)) continue;
      services.push({ port: port.port, target });
      additional.set(`${target} ${endpoint.ip}`, { type: 'address', ttl: clusterTtl, ip: endpoint.ip, name: target });
    }
  }
  return srvFinding(services, [...additional.values()], entry);
}

/** Equal shares for all, at least 1 (CoreDNS `plugin/backend_lookup.go` `SRV`). */
function srvFinding(
  services: readonly { readonly port: number; readonly target: string }[],
  additional: readonly DnsRecord[],
  owner: Versioned,
): ZoneFinding {
  const weight = Math.max(1, Math.floor(100 / Math.max(1, services.length)));
  const distinct = new Map(services.map((service) => [`${service.port} ${service.target}`, service]));
  if (distinct.size === 0) return { kind: 'noData', owner };
  const answers = [...distinct.values()].map(
    (service): DnsRecord => ({
      type: 'srv',
      ttl: clusterTtl,
      weight,
      ...service,
    }),
  );
  return { kind: 'records', answers, additional, owner };
}

function endpointPorts(entry: ServiceEntry): readonly DnsPort[] {
  return [...entry.endpoints.values()].flat().flatMap(({ ports }) => ports);
}

/** `1-2-3-4` and `fd00--1`, as CoreDNS' `pods insecure` reads them: no pod need have the address. */
function addressOfPodLabel(label: string): string | undefined {
  const dotted = label.replaceAll('-', '.');
  if (isIPv4(dotted)) return dotted;
  return canonicalAddress(label.replaceAll('-', ':'));
}
