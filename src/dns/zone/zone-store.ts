import type { DnsEndpoint, DnsEndpoints, DnsEndpointsObject, DnsService, Versioned } from './types.js';

/** All that is known of one Service's name; it outlives changes, so that answers made from it can see them. */
export interface ServiceEntry extends Versioned {
  readonly namespace: string;
  readonly name: string;
  service: DnsService | undefined;
  /** By the name of the object that they came with. */
  readonly endpoints: Map<string, readonly DnsEndpoints[]>;
  /** Endpoints by host name; made when first asked for, dropped at each change. */
  hosts: Map<string, readonly HostEndpoint[]> | undefined;
}

export interface HostEndpoint {
  readonly endpoint: DnsEndpoint;
  readonly set: DnsEndpoints;
}

/** What the cluster's names are made of, by what they are looked up with. Names are lower case, as the API wants them. */
export interface ZoneStore {
  replaceNamespaces(names: readonly string[]): void;
  setNamespace(name: string, exists: boolean): void;
  replaceServices(services: readonly DnsService[]): void;
  setService(service: DnsService): void;
  deleteService(namespace: string, name: string): void;
  replaceEndpoints(objects: readonly DnsEndpointsObject[]): void;
  setEndpoints(object: DnsEndpointsObject): void;
  deleteEndpoints(object: Pick<DnsEndpointsObject, 'namespace' | 'name' | 'service'>): void;

  hasNamespace(name: string): boolean;
  /** Undefined where there is no such Service, whatever endpoints say. */
  find(namespace: string, name: string): ServiceEntry | undefined;
  /** Whose Service address it is. */
  serviceByIp(ip: string): ServiceEntry | undefined;
  /** Whose endpoint it is; more than one where Services share a pod. */
  endpointsByIp(ip: string): readonly ServiceEntry[];
  /** Changes with every address that comes or goes. */
  readonly addresses: Versioned;
  /** Changes with everything. */
  readonly all: Versioned;
  count(): { readonly namespaces: number; readonly services: number; readonly endpoints: number };
}

/** Makes an empty one. */
export function createZoneStore(): ZoneStore {
  const namespaces = new Set<string>();
  const entries = new Map<string, ServiceEntry>();
  const serviceIps = new Map<string, ServiceEntry>();
  /** One entry, or a list where an address is several Services'. */
  const endpointIps = new Map<string, ServiceEntry | ServiceEntry[]>();
  const addresses: Versioned = { version: 0 };
  const all: Versioned = { version: 0 };
  /** Which Service an endpoints object was last seen with, where its name doesn't say so. */
  const serviceOfObject = new Map<string, string>();

  function entryOf(namespace: string, name: string): ServiceEntry {
    const key = `${namespace}/${name}`;
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = { version: 0, namespace, name, service: undefined, endpoints: new Map(), hosts: undefined };
      entries.set(key, entry);
    }
    return entry;
  }

  function changed(entry: ServiceEntry): void {
    entry.version += 1;
    entry.hosts = undefined;
    all.version += 1;
    addresses.version += 1;
    if (entry.service === undefined && entry.endpoints.size === 0) entries.delete(`${entry.namespace}/${entry.name}`);
  }

  function indexService(entry: ServiceEntry, service: DnsService | undefined): void {
    for (const ip of entry.service?.ips ?? []) if (serviceIps.get(ip) === entry) serviceIps.delete(ip);
    entry.service = service;
    for (const ip of service?.ips ?? []) serviceIps.set(ip, entry);
    changed(entry);
  }

  function addAddress(entry: ServiceEntry, ip: string): void {
    const known = endpointIps.get(ip);
    if (known === undefined) endpointIps.set(ip, entry);
    else if (Array.isArray(known)) {
      if (!known.includes(entry)) known.push(entry);
    } else if (known !== entry) endpointIps.set(ip, [known, entry]);
  }

  function dropAddress(entry: ServiceEntry, ip: string): void {
    const known = endpointIps.get(ip);
    if (known === entry) endpointIps.delete(ip);
    else if (Array.isArray(known)) {
      const left = known.filter((other) => other !== entry);
      if (left.length === 0) endpointIps.delete(ip);
      else endpointIps.set(ip, left);
    }
  }

  function indexEndpoints(entry: ServiceEntry, object: string, sets: readonly DnsEndpoints[] | undefined): void {
    for (const set of entry.endpoints.get(object) ?? []) for (const { ip } of set.endpoints) dropAddress(entry, ip);
    if (sets === undefined) entry.endpoints.delete(object);
    else entry.endpoints.set(object, sets);
    // An address may stand in two objects of one Service: what another still has comes back.
    for (const kept of entry.endpoints.values()) {
      for (const set of kept) for (const { ip } of set.endpoints) addAddress(entry, ip);
    }
    changed(entry);
  }

  const store: ZoneStore = {
    addresses,
    all,
    replaceNamespaces(names) {
      namespaces.clear();
      for (const name of names) namespaces.add(name);
      all.version += 1;
    },
    setNamespace(name, exists) {
      if (exists) namespaces.add(name);
      else namespaces.delete(name);
      all.version += 1;
    },
    replaceServices(services) {
      const kept = new Set(services.map(({ namespace, name }) => `${namespace}/${name}`));
      for (const [key, entry] of [...entries]) {
        if (entry.service !== undefined && !kept.has(key)) indexService(entry, undefined);
      }
      for (const service of services) store.setService(service);
    },
    setService: (service) => indexService(entryOf(service.namespace, service.name), service),
    deleteService(namespace, name) {
      const entry = entries.get(`${namespace}/${name}`);
      if (entry !== undefined) indexService(entry, undefined);
    },
    replaceEndpoints(objects) {
      const kept = new Set(objects.map(({ namespace, name }) => `${namespace}/${name}`));
      for (const entry of [...entries.values()]) {
        for (const name of [...entry.endpoints.keys()]) {
          if (!kept.has(`${entry.namespace}/${name}`)) {
            serviceOfObject.delete(`${entry.namespace}/${name}`);
            indexEndpoints(entry, name, undefined);
          }
        }
      }
      for (const object of objects) store.setEndpoints(object);
    },
    setEndpoints(object) {
      const { namespace, name, service, sets } = object;
      const key = `${namespace}/${name}`;
      const before = serviceOfObject.get(key) ?? name;
      if (before !== service) {
        const former = entries.get(`${namespace}/${before}`);
        if (former?.endpoints.has(name)) indexEndpoints(former, name, undefined);
      }
      if (service === name) serviceOfObject.delete(key);
      else serviceOfObject.set(key, service);
      indexEndpoints(entryOf(namespace, service), name, sets);
    },
    deleteEndpoints({ namespace, name, service }) {
      const key = `${namespace}/${name}`;
      for (const owner of new Set([serviceOfObject.get(key), service])) {
        const entry = owner === undefined ? undefined : entries.get(`${namespace}/${owner}`);
        if (entry?.endpoints.has(name)) indexEndpoints(entry, name, undefined);
      }
      serviceOfObject.delete(key);
    },

    hasNamespace: (name) => namespaces.has(name),
    find(namespace, name) {
      const entry = entries.get(`${namespace}/${name}`);
      return entry?.service === undefined ? undefined : entry;
    },
    serviceByIp: (ip) => serviceIps.get(ip),
    endpointsByIp(ip) {
      const found = endpointIps.get(ip);
      if (found === undefined) return [];
      return Array.isArray(found) ? found : [found];
    },
    count() {
      let services = 0;
      for (const { service } of entries.values()) if (service !== undefined) services += 1;
      return { namespaces: namespaces.size, services, endpoints: endpointIps.size };
    },
  };
  return store;
}

/** The endpoints that are published, ready or not as the Service wants it. */
export function* publishedEndpoints(entry: ServiceEntry): Generator<HostEndpoint> {
  const unready = entry.service?.publishNotReady ?? false;
  for (const sets of entry.endpoints.values()) {
    for (const set of sets) {
      for (const endpoint of set.endpoints) if (endpoint.ready || unready) yield { endpoint, set };
    }
  }
}

/** The published endpoints of one host name. */
export function endpointsOfHost(entry: ServiceEntry, hostname: string): readonly HostEndpoint[] {
  if (entry.hosts === undefined) {
    const hosts = new Map<string, HostEndpoint[]>();
    for (const found of publishedEndpoints(entry)) {
      const name = hostnameOf(found.endpoint);
      const known = hosts.get(name);
      if (known === undefined) hosts.set(name, [found]);
      else known.push(found);
    }
    entry.hosts = hosts;
  }
  return entry.hosts.get(hostname) ?? [];
}

/** An endpoint's label: what its pod asked for, else its address with dashes (CoreDNS `endpointHostname`). */
export function hostnameOf(endpoint: DnsEndpoint): string {
  return endpoint.hostname === '' ? endpoint.ip.replaceAll(/[.:]/g, '-') : endpoint.hostname;
}
