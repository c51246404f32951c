import { isIPv4 } from 'node:net';
import { canonicalAddress } from '../../base/cidr.js';
import type { KubeObject, V1EndpointAddress, V1Endpoints, V1Service, V1ServiceSpec } from '../../kube/objects.js';
import type { ResourceRef } from '../../kube/resource-ref.js';
import type { DnsEndpoint, DnsEndpoints, DnsEndpointsObject, DnsPort, DnsService } from '../zone/types.js';

/** Fields that only this server reads (Kubernetes v1.20 to v1.31 `core/v1`). */
export interface V1DnsService extends V1Service {
  readonly spec?: V1ServiceSpec & {
    readonly clusterIPs?: readonly string[];
    readonly externalName?: string;
    readonly publishNotReadyAddresses?: boolean;
  };
}

interface V1DnsEndpointAddress extends V1EndpointAddress {
  readonly hostname?: string;
}

/** `discovery.k8s.io/v1`. */
export interface V1EndpointSlice extends KubeObject {
  readonly addressType?: string;
  readonly endpoints?:
    | readonly {
        readonly addresses?: readonly string[] | null;
        readonly conditions?: { readonly ready?: boolean | null };
        readonly hostname?: string;
      }[]
    | null;
  readonly ports?: readonly ApiPort[] | null;
}

export const endpointSlices: ResourceRef<V1EndpointSlice> = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};

/** On slices; says whose they are. */
const serviceNameLabel = 'kubernetes.io/service-name';
/** The way before `publishNotReadyAddresses`, which the endpoints controller still honours in v1.20. */
const tolerateAnnotation = 'service.alpha.kubernetes.io/tolerate-unready-endpoints';

interface ApiPort {
  readonly name?: string | null;
  readonly port?: number | null;
  readonly protocol?: string | null;
}

/** What a Service's records need. Pure. */
export function toDnsService(object: V1DnsService): DnsService {
  const { metadata, spec } = object;
  const ips = (spec?.clusterIPs ?? [spec?.clusterIP ?? '']).flatMap((ip) => canonical(ip) ?? []);
  const isExternal = spec?.type === 'ExternalName';
  return {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    kind: isExternal ? 'external' : spec?.clusterIP === 'None' ? 'headless' : 'cluster',
    ips: isExternal ? [] : ips,
    ports: toPorts(spec?.ports),
    externalName: isExternal ? (spec?.externalName ?? '') : '',
    publishNotReady: spec?.publishNotReadyAddresses === true || metadata?.annotations?.[tolerateAnnotation] === 'true',
  };
}

/** What an EndpointSlice's records need; one of another cluster's names (FQDN) has none. Pure. */
export function sliceToDns(slice: V1EndpointSlice): DnsEndpointsObject {
  const { namespace = '', name = '', labels } = slice.metadata ?? {};
  const endpoints =
    slice.addressType === 'FQDN'
      ? []
      : (slice.endpoints ?? []).flatMap(({ addresses, conditions, hostname }) =>
          // No condition means ready (discovery/v1 `EndpointConditions`).
          toEndpoints(addresses ?? [], hostname, conditions?.ready ?? true),
        );
  return {
    namespace,
    name,
    service: labels?.[serviceNameLabel] ?? '',
    sets: [{ ports: toPorts(slice.ports), endpoints }],
  };
}

/** What an Endpoints object's records need. Pure. */
export function endpointsToDns(object: V1Endpoints): DnsEndpointsObject {
  const { namespace = '', name = '' } = object.metadata ?? {};
  const sets = (object.subsets ?? []).map((subset): DnsEndpoints => {
    const of = (addresses: readonly V1DnsEndpointAddress[] | undefined, ready: boolean) =>
      (addresses ?? []).flatMap(({ ip, hostname }) => toEndpoints([ip], hostname, ready));
    return {
      ports: toPorts(subset.ports),
      endpoints: [...of(subset.addresses, true), ...of(subset.notReadyAddresses, false)],
    };
  });
  return { namespace, name, service: name, sets };
}

function toEndpoints(addresses: readonly string[], hostname: string | undefined, ready: boolean): DnsEndpoint[] {
  return addresses.flatMap((address) => {
    const ip = canonical(address);
    return ip === undefined ? [] : [{ ip, hostname: hostname?.toLowerCase() ?? '', ready }];
  });
}

function toPorts(ports: readonly ApiPort[] | null | undefined): DnsPort[] {
  return (ports ?? []).flatMap(({ name, port, protocol }) =>
    // A slice's port without a number stands for all, which no record can say.
    typeof port === 'number'
      ? [{ name: name?.toLowerCase() ?? '', protocol: (protocol ?? 'TCP').toLowerCase(), port }]
      : [],
  );
}

/** Most are of one spelling, and thousands come at once. */
function canonical(address: string): string | undefined {
  return isIPv4(address) ? address : canonicalAddress(address);
}
