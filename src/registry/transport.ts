import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { addressAttemptMs } from './direct-connect.js';
import { isLoopbackHost, proxyFor } from './proxy-choice.js';
import type { Trust } from './trust.js';
import type { ProxySettings } from './types.js';

/** How one origin is reached. */
export interface Route {
  readonly dispatcher: Dispatcher;
  readonly proxy: URL | undefined;
}

/** Connections by origin, made when first needed. */
export interface Transport {
  route(url: URL): Promise<Route>;
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly proxies: ProxySettings;
  readonly trust: Trust;
  readonly isInsecure: (host: string) => boolean;
  readonly connectTimeoutMs: number;
}

/** More than anything here asks for at once, so that no request waits for another's connection. */
const connectionsPerOrigin = 128;
const keepAliveMs = 15_000;

/** Connections are HTTP/1.1: a range of a layer each, which is what speed across a slow border comes from. */
export function createTransport(options: TransportOptions): Transport {
  const routes = new Map<string, Promise<Route>>();

  const make = async (url: URL): Promise<Route> => {
    const { host } = url;
    const reach = { timeout: options.connectTimeoutMs, autoSelectFamilyAttemptTimeout: addressAttemptMs };
    const pool = {
      connections: connectionsPerOrigin,
      keepAliveTimeout: keepAliveMs,
      // Limits on silence are `exchange`'s: these count while nothing is asked of the other side.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const tls =
      url.protocol !== 'https:'
        ? {}
        : isLoopbackHost(url.hostname) || options.isInsecure(host)
          ? { rejectUnauthorized: false }
          : { secureContext: await options.trust.contextFor(host) };
    const proxy = proxyFor(options.proxies, url);
    if (proxy === undefined) return { dispatcher: new Agent({ ...pool, connect: { ...reach, ...tls } }), proxy };
    const proxyTls = proxy.protocol === 'https:' ? { secureContext: await options.trust.contextFor(proxy.host) } : {};
    const dispatcher = new ProxyAgent({
      ...pool,
      uri: proxy.href.replace(/^socks5h:/, 'socks5:'),
      // Many proxies open tunnels to port 443 alone.
      proxyTunnel: false,
      proxyTls: { ...reach, ...proxyTls },
      requestTls: { ...reach, ...tls },
    });
    return { dispatcher, proxy };
  };

  return {
    route(url) {
      let route = routes.get(url.origin);
      if (route === undefined) {
        route = make(url);
        routes.set(url.origin, route);
        route.catch(() => routes.delete(url.origin));
      }
      return route;
    },
    async close() {
      const open = [...routes.values()];
      routes.clear();
      await Promise.all(open.map(async (route) => (await route.catch(() => undefined))?.dispatcher.destroy()));
    },
  };
}
