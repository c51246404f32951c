import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Clock } from '../../../src/base/clock.js';
import { connectEngine, connectRuntimeEngine } from '../../../src/docker/connect.js';
import type { RuntimeEngine } from '../../../src/docker/runtime-types.js';
import type { Engine } from '../../../src/docker/types.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** An HTTP server on a Unix socket of its own that answers what it was told to and fails the test on anything else. */
export interface ScriptedEngine {
  readonly host: string;
  /** `METHOD /path` without version and query; the answers come in order, the last one repeats. */
  on(request: string, ...handlers: readonly Handler[]): void;
  /** Each request as `METHOD /path?query`, with its version. */
  readonly requests: readonly string[];
  /** Connections that are open. */
  readonly connections: () => Promise<number>;
  connect(clock?: Clock): Promise<Engine>;
  connectRuntime(clock?: Clock): Promise<RuntimeEngine>;
}

export async function startScriptedEngine(test: Test): Promise<ScriptedEngine> {
  const dir = await mkdtemp(join(tmpdir(), 'scripted-engine-'));
  const handlers = new Map<string, Handler[]>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    requests.push(`${request.method} ${url}`);
    const key = `${request.method} ${url.replace(/^\/v[\d.]+/, '').replace(/\?.*$/, '')}`;
    const queue = handlers.get(key);
    const handler = queue && queue.length > 1 ? queue.shift() : queue?.[0];
    if (handler) handler(request, response);
    else {
      test.fail(`the scripted engine was asked for ${key}`);
      response.writeHead(500).end();
    }
  });
  const path = join(dir, 'engine.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  test.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(dir, { recursive: true, force: true });
  });
  const on: ScriptedEngine['on'] = (request, ...answers) => {
    handlers.set(request, [...answers]);
    // Whose version is told here is to be asked for it.
    if (request === 'GET /version') handlers.set('GET /_ping', [json({})]);
  };
  on('GET /version', json({ Version: '20.10.24', ApiVersion: '1.41', MinAPIVersion: '1.12', Arch: 'amd64' }));
  on('GET /_ping', json({}, 200, { 'api-version': '1.41', server: 'Docker/20.10.24 (linux)' }));
  const host = `unix://${path}`;
  return {
    host,
    on,
    requests,
    connections: () => new Promise((resolve) => server.getConnections((_, count) => resolve(count))),
    connect: async (clock) => {
      const engine = await connectEngine({ host, env: {}, clock });
      test.teardown(() => engine.close());
      return engine;
    },
    connectRuntime: async (clock) => {
      const engine = await connectRuntimeEngine({ host, env: {}, clock });
      test.teardown(() => engine.close());
      return engine;
    },
  };
}

/** Answers with JSON. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Handler {
  return (_, response) =>
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Answers with Docker's progress messages, then does what `then` says: ends, breaks the connection, or stays open. */
export function messages(list: readonly object[], then: 'end' | 'break' | 'stay' = 'end'): Handler {
  return (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const body = list.map((message) => `${JSON.stringify(message)}\r\n`).join('');
    if (then === 'end') response.end(body);
    else if (then === 'break') response.write(body, () => response.socket?.destroy());
    else response.write(body);
  };
}

/** One frame of Docker's output stream. */
export function frame(type: 0 | 1 | 2 | 3, text: string): Buffer {
  const data = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}
