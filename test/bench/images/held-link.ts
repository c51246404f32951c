import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A way to a registry that is held to a rate. */
export interface HeldLink {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** What has come back through it so far. */
  readonly passedBytes: number;
  close(): Promise<void>;
}

export interface HeldLinkOptions {
  /** `127.0.0.1:PORT` of the registry. */
  readonly target: string;
  /** What comes from the registry: bytes a second of each connection, or of all together. */
  readonly bytesPerSecond: number;
  readonly shared: boolean;
}

const sliceMs = 20;

/** Lets so many bytes a second through, whoever asks. */
interface Bucket {
  take(bytes: number): Promise<void>;
}

function makeBucket(bytesPerSecond: number): Bucket {
  let freeAtMs = performance.now();
  return {
    async take(bytes) {
      const now = performance.now();
      freeAtMs = Math.max(freeAtMs, now - sliceMs) + (bytes * 1000) / bytesPerSecond;
      if (freeAtMs > now) await delay(freeAtMs - now);
    },
  };
}

/** A TCP proxy that holds what comes back to a rate, as a border does; what goes there is free. */
export async function startHeldLink({ target, bytesPerSecond, shared }: HeldLinkOptions): Promise<HeldLink> {
  const [hostname = '', port = ''] = target.split(':');
  const common = makeBucket(bytesPerSecond);
  const sockets = new Set<Socket>();
  let passedBytes = 0;
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    const bucket = shared ? common : makeBucket(bytesPerSecond);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    // What the registry has sent before it closed is still on its way.
    upstream.on('error', () => client.destroy());
    client.pipe(upstream);
    const count = (bytes: number) => {
      passedBytes += bytes;
    };
    pass(upstream, client, bucket, count).catch(() => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    host: `127.0.0.1:${address.port}`,
    get passedBytes() {
      return passedBytes;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function pass(from: Socket, to: Socket, bucket: Bucket, onPassed: (bytes: number) => void): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) {
    await bucket.take(chunk.length);
    onPassed(chunk.length);
    if (!to.write(chunk)) await once(to, 'drain');
  }
  to.end();
}
