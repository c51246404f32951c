import { rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';

/** One request that passes by. */
export interface EngineRequest {
  readonly method: string;
  /** Without the API's version: `/containers/create?name=…`. */
  readonly path: string;
  /** How many came before it. */
  readonly index: number;
}

export interface EngineProxyOptions {
  /** Where the moment has come: the engine gets this request, and is gone before it answers. */
  readonly diesAt: (request: EngineRequest) => boolean;
  /** `gone`: connections break and no new one is taken. `silent`: they stay, and nothing comes any more. */
  readonly manner: 'gone' | 'silent';
}

export interface EngineProxy {
  /** For `--engine-host`. */
  readonly host: string;
  readonly requests: readonly EngineRequest[];
  readonly dead: boolean;
}

const engineSocket = '/var/run/docker.sock';
const requestLine = /^(GET|HEAD|POST|PUT|DELETE) (?:\/v[\d.]+)?(\/\S*) HTTP\/1\.1\r\n/;

/** Stands between hyperup and the engine until the moment comes. Closed, its socket removed, when the test ends. */
export async function startEngineProxy(t: Test, folder: string, options: EngineProxyOptions): Promise<EngineProxy> {
  const socketPath = join(folder, 'engine.sock');
  const requests: EngineRequest[] = [];
  const open = new Set<Socket>();
  let dead = false;
  const server = createServer((client) => {
    const engine = createConnection(engineSocket);
    for (const [socket, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      open.add(socket);
      // Either end may break off; that ends the other, and is no fault of the proxy's.
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        if (!dead || options.manner === 'gone') other.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      if (dead) return;
      engine.write(chunk);
      // Each request's head comes in a write of its own.
      const [, method, path] = requestLine.exec(chunk.toString('latin1')) ?? [];
      if (method === undefined || path === undefined) return;
      const request = { method, path, index: requests.length };
      requests.push(request);
      if (options.diesAt(request)) die();
    });
    engine.on('data', (chunk: Buffer) => {
      if (!dead) client.write(chunk);
    });
    engine.on('end', () => {
      if (!dead) client.end();
    });
  });
  const die = () => {
    dead = true;
    if (options.manner === 'silent') return;
    server.close();
    // What was written is sent before the end; a broken connection could take the last request with it.
    for (const socket of open) socket.end();
    setTimeout(() => {
      for (const socket of open) socket.destroy();
    }, 50).unref();
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  t.teardown(async () => {
    server.close();
    for (const socket of open) socket.destroy();
    await rm(socketPath, { force: true });
  });
  return {
    host: `unix://${socketPath}`,
    requests,
    get dead() {
      return dead;
    },
  };
}
