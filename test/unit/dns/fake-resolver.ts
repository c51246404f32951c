import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Answer, type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import type { Upstream } from '../../../src/dns/forward/types.js';

/** What a resolver says to a question: a packet, bytes, or nothing at all. */
export type Say = (query: DecodedPacket, tcp: boolean) => Packet | Buffer | undefined;

export interface FakeResolver {
  readonly upstream: Upstream;
  /** Names that it was asked for, in order. */
  readonly asked: string[];
  say: Say;
  close(): Promise<void>;
}

/** A resolver on loopback, UDP and TCP on one port. */
export async function startFakeResolver(say: Say): Promise<FakeResolver> {
  const udp = createSocket('udp4');
  const sockets = new Set<Socket>();
  const answer = (message: Buffer, tcp: boolean): Buffer | undefined => {
    const query = decode(message);
    resolver.asked.push(query.questions?.[0]?.name ?? '');
    const said = resolver.say(query, tcp);
    if (said === undefined || Buffer.isBuffer(said)) return said;
    return encode({ type: 'response', id: query.id, questions: query.questions, ...said });
  };
  udp.on('message', (message: Buffer, from) => {
    const reply = answer(message, false);
    if (reply !== undefined) udp.send(reply, from.port, from.address);
  });
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const { port } = udp.address();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const reply = answer(chunk.subarray(2), true);
      if (reply === undefined) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      // In two pieces, as a network may.
      socket.write(Buffer.concat([length, reply.subarray(0, 5)]));
      setImmediate(() => socket.write(reply.subarray(5)));
    });
  });
  tcp.listen(port, '127.0.0.1');
  await once(tcp, 'listening');
  const resolver: FakeResolver = {
    upstream: { address: '127.0.0.1', port: (tcp.address() as AddressInfo).port },
    asked: [],
    say,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([
        new Promise<void>((resolve) => {
          udp.close(() => resolve());
        }),
        new Promise((resolve) => {
          tcp.close(resolve);
        }),
      ]);
    },
  };
  return resolver;
}

export function addressRecord(name: string, data: string, ttl = 60): Answer {
  return { type: 'A', name, ttl, data };
}

export const soaRecord: Answer = {
  type: 'SOA',
  name: 'example.com',
  ttl: 300,
  data: { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 20 },
};
