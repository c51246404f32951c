/**
 * What the zone keeps of the API's objects, and what it answers with. Thousands of these are held: no field that no
 * record needs. Those who watch make them; the zone's store takes them over and never changes them.
 */

/** A port with a number; `name` is empty for an unnamed one, `protocol` in lower case. */
export interface DnsPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

export interface DnsService {
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'cluster' | 'headless' | 'external';
  /** Of a `cluster` one, canonical. */
  readonly ips: readonly string[];
  readonly ports: readonly DnsPort[];
  /** Of an `external` one. */
  readonly externalName: string;
  readonly publishNotReady: boolean;
}

export interface DnsEndpoint {
  /** Canonical. */
  readonly ip: string;
  /** The name that its pod asked for; empty where the address is to serve as one. */
  readonly hostname: string;
  readonly ready: boolean;
}

/** One EndpointSlice, or one subset of an Endpoints object. */
export interface DnsEndpoints {
  readonly ports: readonly DnsPort[];
  readonly endpoints: readonly DnsEndpoint[];
}

/** A set of endpoints as an object of the API brings it: the object's own name, and its Service's. */
export interface DnsEndpointsObject {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly sets: readonly DnsEndpoints[];
}

/** A record of an answer. `name` is undefined for the name that was asked for. */
export type DnsRecord = { readonly name?: string | undefined; readonly ttl: number } & (
  | { readonly type: 'address'; readonly ip: string }
  | { readonly type: 'srv'; readonly port: number; readonly weight: number; readonly target: string }
  | { readonly type: 'ptr' | 'cname' | 'ns'; readonly target: string }
  | { readonly type: 'txt'; readonly text: string }
  | { readonly type: 'soa' }
);

/** What an answer was made from: it holds as long as `version` is what it was. */
export interface Versioned {
  version: number;
}

/** What the zone knows of a name and a type. */
export type ZoneFinding =
  /** There is no such name. */
  | { readonly kind: 'nameError' }
  /** There is, without records of that type. */
  | { readonly kind: 'noData'; readonly owner?: Versioned | undefined }
  | {
      readonly kind: 'records';
      readonly answers: readonly DnsRecord[];
      readonly additional?: readonly DnsRecord[] | undefined;
      readonly owner?: Versioned | undefined;
    }
  /** The name is another's alias: an ExternalName Service. */
  | { readonly kind: 'alias'; readonly target: string }
  /** Not ours to say: an address that is no Service's and no endpoint's. */
  | { readonly kind: 'unknown' };
