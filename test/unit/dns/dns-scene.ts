import { type DecodedPacket, decode, encode, type OptAnswer, type RecordType } from 'dns-packet';
import { createMetricsRegistry } from '../../../src/base/metrics-registry.js';
import { createAnswerCache } from '../../../src/dns/forward/answer-cache.js';
import { createForwardMetrics } from '../../../src/dns/forward/forward-metrics.js';
import { createForwarder, type Forwarder } from '../../../src/dns/forward/forwarder.js';
import type { UpstreamRace } from '../../../src/dns/forward/upstream-race.js';
import { createAliasAnswers } from '../../../src/dns/server/alias-answers.js';
import { createDnsMetrics } from '../../../src/dns/server/dns-metrics.js';
import { createResponder, later, type Responder } from '../../../src/dns/server/responder.js';
import { createClusterAnswers } from '../../../src/dns/zone/cluster-answers.js';
import type { DnsEndpoint, DnsPort, DnsService } from '../../../src/dns/zone/types.js';
import { createZone } from '../../../src/dns/zone/zone.js';
import { createZoneStore, type ZoneStore } from '../../../src/dns/zone/zone-store.js';
import { makeManualClock } from '../../fakes/manual-clock.js';

export const http: DnsPort = { name: 'http', protocol: 'tcp', port: 80 };

export function service(changes: Partial<DnsService> & { readonly name: string }): DnsService {
  return {
    namespace: 'default',
    kind: 'cluster',
    ips: ['10.96.0.20'],
    ports: [http],
    externalName: '',
    publishNotReady: false,
    ...changes,
  };
}

export function endpoint(ip: string, changes: Partial<DnsEndpoint> = {}): DnsEndpoint {
  return { ip, hostname: '', ready: true, ...changes };
}

export interface Scene {
  readonly store: ZoneStore;
  readonly responder: Responder;
  readonly registry: ReturnType<typeof createMetricsRegistry>;
  readonly clock: ReturnType<typeof makeManualClock>;
  synced: boolean;
  /** The answer as another implementation reads it. */
  ask(name: string, type: RecordType, options?: AskOptions): Promise<DecodedPacket & { rcode: string }>;
  /** Bytes in, bytes out; undefined where nobody is answered. */
  send(message: Buffer, tcp?: boolean): Promise<Buffer | undefined>;
}

export interface AskOptions {
  readonly tcp?: boolean;
  readonly edns?: number;
}

/** A responder with a zone in memory; `ask` of the race is what resolvers say. */
export function makeScene(race: Partial<UpstreamRace> = {}): Scene {
  const clock = makeManualClock(1_600_000_000_000);
  const registry = createMetricsRegistry();
  const store = createZoneStore();
  const zone = createZone({
    store,
    domain: 'cluster.local',
    nsService: { namespace: 'kube-system', name: 'kube-dns' },
  });
  const answers = createClusterAnswers({ zone, store, domain: 'cluster.local', clock });
  const cache = createAnswerCache({ clock, capacity: 100, staleSeconds: 3600 });
  const metrics = createForwardMetrics(registry, 'dns://:53', cache.count);
  const hasUpstreams = () => race.ask !== undefined;
  const forwarder: Forwarder = createForwarder({ race: race as UpstreamRace, cache, metrics });
  const responder = createResponder({
    answers,
    aliases: createAliasAnswers({ answers, forwarder, hasUpstreams }),
    forwarder,
    hasUpstreams,
    loops: { isOwn: () => false },
    metrics: createDnsMetrics(registry, 'dns://:53', 'cluster.local'),
    synced: () => scene.synced,
  });
  const out = Buffer.alloc(0x10000);
  const scene: Scene = {
    store,
    responder,
    registry,
    clock,
    synced: true,
    async send(message, tcp = false) {
      const transport = tcp ? 1 : 0;
      const length = responder.respond(message, out, transport, false);
      if (length === later) return await responder.respondLater(message, transport, false);
      return length === 0 ? undefined : Buffer.from(out.subarray(0, length));
    },
    async ask(name, type, options = {}) {
      const answer = await scene.send(queryOf(name, type, options.edns), options.tcp);
      if (answer === undefined) throw new Error(`${name}: got no answer`);
      return decode(answer) as DecodedPacket & { rcode: string };
    },
  };
  return scene;
}

export function queryOf(name: string, type: RecordType, edns?: number): Buffer {
  const opt: OptAnswer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: edns ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return encode({
    type: 'query',
    id: 4711,
    flags: 0x100,
    questions: [{ type, name }],
    additionals: edns === undefined ? [] : [opt],
  });
}

/** Records in short: `name type data`. */
export function shortly(records: DecodedPacket['answers'] = []): readonly string[] {
  return records.flatMap((record) => {
    if (record.type === 'OPT') return [];
    const data = 'data' in record ? record.data : undefined;
    const text =
      record.type === 'SRV'
        ? `${record.data.weight} ${record.data.port} ${record.data.target}`
        : record.type === 'SOA'
          ? `${record.data.mname} ${record.data.rname} ${record.data.minimum}`
          : String(data);
    return [`${record.name} ${'ttl' in record ? record.ttl : ''} ${record.type} ${text}`];
  });
}
