import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { addressAttemptMs } from './direct-connect.js';
import { isLoopbackHost } from './proxy-choice.js';
import type { Trust } from './trust.js';

/** How a host is reached, and how far it is trusted. */
export interface RouteOptions {
  readonly trust: Trust;
  readonly isInsecure: (host: string) => boolean | Promise<boolean>;
  readonly connectTimeoutMs: number;
}

export interface PoolSizes {
  readonly connections: number;
  /** How long an idle connection is kept, milliseconds. */
  readonly keepAliveMs: number;
}

/** The way to an origin over TLS or through a proxy. Rejects with `InvalidConfig`. */
export async function undiciRoute(
  url: URL,
  proxy: URL | undefined,
  { connectTimeoutMs, isInsecure, trust }: RouteOptions,
  { connections, keepAliveMs }: PoolSizes,
): Promise<Dispatcher> {
  const reach = { timeout: connectTimeoutMs, autoSelectFamilyAttemptTimeout: addressAttemptMs };
  const pool = {
    connections,
    keepAliveTimeout: keepAliveMs,
    // Limits on silence are `exchange`'s: these count while nothing is asked of the other side.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const tls =
    url.protocol !== 'https:'
      ? {}
      : isLoopbackHost(url.hostname) || (await isInsecure(url.host))
        ? { rejectUnauthorized: false }
        : { secureContext: await trust.contextFor(url.host) };
  if (proxy === undefined) return new Agent({ ...pool, connect: { ...reach, ...tls } });
  const proxyTls = proxy.protocol === 'https:' ? { secureContext: await trust.contextFor(proxy.host) } : {};
  return new ProxyAgent({
    ...pool,
    uri: proxy.href.replace(/^socks5h:/, 'socks5:'),
    // Many proxies open tunnels to port 443 alone.
    proxyTunnel: false,
    proxyTls: { ...reach, ...proxyTls },
    requestTls: { ...reach, ...tls },
  });
}
