import type { Dispatcher } from 'undici';
import { createPlainClient, type PlainClient } from './plain-http.js';
import { proxyFor } from './proxy-choice.js';
import type { ProxySettings } from './types.js';
import type { RouteOptions } from './undici-route.js';

/** How one origin is reached: over plain HTTP with nothing in between, or else. */
export type Route =
  | { readonly kind: 'plain'; readonly client: PlainClient; readonly proxy: undefined }
  | { readonly kind: 'undici'; readonly dispatcher: Dispatcher; readonly proxy: URL | undefined };

/** Connections by origin, made when first needed. */
export interface Transport {
  route(url: URL): Promise<Route>;
  close(): Promise<void>;
}

export interface TransportOptions extends RouteOptions {
  readonly proxies: ProxySettings;
}

/** More than anything here asks for at once, so that no request waits for another's connection. */
const connections = 128;
const keepAliveMs = 15_000;

/** Connections are HTTP/1.1: a range of a layer each, which is what speed across a slow border comes from. */
export function createTransport(options: TransportOptions): Transport {
  const routes = new Map<string, Promise<Route>>();

  const make = async (url: URL): Promise<Route> => {
    const proxy = proxyFor(options.proxies, url);
    const sizes = { connections, keepAliveMs };
    if (url.protocol === 'http:' && proxy === undefined) {
      return { kind: 'plain', client: createPlainClient({ ...sizes, ...options }), proxy };
    }
    const { undiciRoute } = await import('./undici-route.js');
    return { kind: 'undici', dispatcher: await undiciRoute(url, proxy, options, sizes), proxy };
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
      await Promise.all(open.map(async (route) => end(await route.catch(() => undefined))));
    },
  };
}

async function end(route: Route | undefined): Promise<void> {
  if (route?.kind === 'plain') route.client.close();
  else await route?.dispatcher.destroy();
}
