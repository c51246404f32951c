import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request as httpRequest } from 'undici';
import type { Fault } from './fault-schedule.js';
import { makeRateLimiter, type RateLimiter } from './rate-limiter.js';

export interface FaultProxyOptions {
  /** The registry behind it, `HOST:PORT` of plain HTTP. */
  readonly target: string;
  /** For each request of a blob in turn, from 0 on; all others pass. */
  readonly faultFor?: ((request: number) => Fault) | undefined;
  /** Each connection is held to it. */
  readonly connectionBytesPerSecond?: number | undefined;
  /** All together are held to it. */
  readonly totalBytesPerSecond?: number | undefined;
  /** Bearer tokens are wanted; without it an `expire` asks for one only from then on. */
  readonly tokens?: boolean | undefined;
}

/** A registry as a bad network shows it. */
export interface FaultProxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Bytes of blobs that were handed to sockets. */
  readonly blobBytes: number;
  readonly blobRequests: number;
  /** Blob requests that were under way at once, at most. */
  readonly mostAtOnce: number;
  stop(): Promise<void>;
}

const pieceBytes = 16 * 1024;

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { target, faultFor = () => ({ kind: 'none' }), connectionBytesPerSecond, totalBytesPerSecond } = options;
  const agent = new Agent({ connections: 64 });
  const sockets = new Set<Socket>();
  const limiters = new WeakMap<Socket, RateLimiter>();
  const total = totalBytesPerSecond === undefined ? undefined : makeRateLimiter(totalBytesPerSecond);
  const stopping = new AbortController();
  let tokensWanted = options.tokens === true;
  let token = 0;
  let blobBytes = 0;
  let blobRequests = 0;
  let atOnce = 0;
  let mostAtOnce = 0;

  const server = createServer((req, res) => {
    res.on('error', () => {});
    answer(req, res).catch(() => req.socket.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    if (connectionBytesPerSecond !== undefined) limiters.set(socket, makeRateLimiter(connectionBytesPerSecond));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = req.url ?? '/';
    if (url.startsWith('/token')) {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ token: `t${token}`, expires_in: 300 }));
      return;
    }
    const isBlob = req.method === 'GET' && /\/blobs\/sha256:/.test(url);
    const fault: Fault = isBlob ? faultFor(blobRequests++) : { kind: 'none' };
    if (fault.kind === 'expire') {
      tokensWanted = true;
      token += 1;
    }
    if (tokensWanted && req.headers.authorization !== `Bearer t${token}`) {
      res.writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token",service="faults"` });
      res.end('{"errors":[{"code":"UNAUTHORIZED","message":"token expired"}]}');
      return;
    }
    if (answeredByFault(fault, req, res)) return;
    atOnce += 1;
    mostAtOnce = Math.max(mostAtOnce, atOnce);
    try {
      await pass(req, res, isBlob ? fault : undefined);
    } finally {
      atOnce -= 1;
    }
  }

  async function pass(req: IncomingMessage, res: ServerResponse, fault: Fault | undefined): Promise<void> {
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    const { authorization: _authorization, host: _host, connection: _connection, ...headers } = req.headers;
    const upstream = await httpRequest(`http://${target}${req.url ?? '/'}`, {
      method: (req.method ?? 'GET') as 'GET',
      headers: headers as Record<string, string>,
      body: req.method === 'GET' || req.method === 'HEAD' ? null : req,
      dispatcher: agent,
      signal: gone.signal,
    });
    const { connection: _keep, 'keep-alive': _alive, 'transfer-encoding': _coding, ...answered } = upstream.headers;
    res.writeHead(upstream.statusCode, answered as Record<string, string>);
    const length = Number(upstream.headers['content-length'] ?? 0);
    await send(upstream.body, res, fault, length, gone.signal);
  }

  async function send(
    body: Readable,
    res: ServerResponse,
    fault: Fault | undefined,
    length: number,
    gone: AbortSignal,
  ): Promise<void> {
    const at = fault !== undefined && 'at' in fault ? Math.floor(fault.at * length) : -1;
    const limiter = res.socket === null ? undefined : limiters.get(res.socket);
    let sent = 0;
    const write = async (piece: Buffer) => {
      await limiter?.take(piece.length);
      await total?.take(piece.length);
      if (gone.aborted) return;
      sent += piece.length;
      if (fault !== undefined) blobBytes += piece.length;
      if (res.write(piece)) return;
      await new Promise<void>((resolve) => {
        const go = () => {
          res.off('drain', go);
          gone.removeEventListener('abort', go);
          resolve();
        };
        res.once('drain', go);
        gone.addEventListener('abort', go);
      });
    };
    const limited = limiter !== undefined || total !== undefined;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      for (const piece of limited ? pieces(chunk) : [chunk]) {
        if (gone.aborted) return;
        if (at < sent || at >= sent + piece.length) {
          await write(piece);
          continue;
        }
        const before = piece.subarray(0, at - sent);
        if (fault?.kind === 'flip') {
          const flipped = Buffer.from(piece);
          flipped[at - sent] = (flipped[at - sent] ?? 0) ^ 1;
          await write(flipped);
          continue;
        }
        await write(before);
        if (fault?.kind === 'cut') {
          // What was written must go out before the end.
          res.socket?.destroySoon();
          return;
        }
        if (fault?.kind === 'stall') return untilGone(gone, stopping.signal);
        if (fault?.kind === 'trickle') return trickle(piece.subarray(at - (sent - before.length)), write, gone);
      }
    }
    if (!gone.aborted) res.end();
  }

  async function trickle(rest: Buffer, write: (piece: Buffer) => Promise<void>, gone: AbortSignal): Promise<void> {
    const over = AbortSignal.any([gone, stopping.signal]);
    for (let at = 0; at < rest.length && !over.aborted; at += 1) {
      await write(rest.subarray(at, at + 1));
      await delay(1000, undefined, { signal: over }).catch(() => {});
    }
    await untilGone(gone, stopping.signal);
  }

  return {
    host,
    get blobBytes() {
      return blobBytes;
    },
    get blobRequests() {
      return blobRequests;
    },
    get mostAtOnce() {
      return mostAtOnce;
    },
    async stop() {
      stopping.abort();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await agent.destroy();
    },
  };
}

/** Answers those faults that need no bytes of the registry. */
function answeredByFault(fault: Fault, req: IncomingMessage, res: ServerResponse): boolean {
  switch (fault.kind) {
    case 'refuse':
      req.socket.resetAndDestroy();
      return true;
    case 'hang':
      return true;
    case 'tooMany':
      res.writeHead(429, { 'retry-after': String(fault.retryAfterSeconds) }).end('slow down');
      return true;
    case 'serverError':
      res.writeHead(500).end('no');
      return true;
    case 'loginPage':
      res.writeHead(200, { 'content-type': 'text/html' }).end('<html><form action="/login">Sign in</form></html>');
      return true;
    case 'deadRedirect':
      // Port 1 of loopback: nothing listens there.
      res.writeHead(307, { location: 'http://127.0.0.1:1/blob' }).end();
      return true;
    default:
      return false;
  }
}

function pieces(chunk: Buffer): readonly Buffer[] {
  const count = Math.ceil(chunk.length / pieceBytes);
  return Array.from({ length: count }, (_, index) => chunk.subarray(index * pieceBytes, (index + 1) * pieceBytes));
}

function untilGone(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener('abort', () => resolve(), { once: true });
  });
}
