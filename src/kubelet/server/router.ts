import { HttpFault } from './http-fault.js';
import type { Endpoint } from './request-context.js';

/** `/exec/:namespace/:pod/:container`; `*` at the end takes any rest, an empty one too. */
export interface Route {
  readonly path: string;
  readonly methods: readonly string[];
  readonly endpoint: Endpoint;
}

export interface RequestTarget {
  readonly segments: readonly string[];
  readonly trailingSlash: boolean;
  readonly query: URLSearchParams;
}

export interface RouteMatch {
  readonly endpoint: Endpoint;
  readonly params: Readonly<Record<string, string>>;
}

export type Router = (method: string, segments: readonly string[]) => RouteMatch;

/** The first route that fits; throws an HttpFault 404 where none does, 405 where only the method differs. */
export function makeRouter(routes: readonly Route[]): Router {
  const table = routes.map((route) => ({ ...route, parts: route.path.split('/').filter((part) => part !== '') }));
  return (method, segments) => {
    const allowed = new Set<string>();
    for (const route of table) {
      const params = matchParts(route.parts, segments);
      if (params === undefined) continue;
      if (route.methods.includes(method)) return { endpoint: route.endpoint, params };
      for (const name of route.methods) allowed.add(name);
    }
    if (allowed.size === 0) throw new HttpFault(404, '404 page not found');
    throw new HttpFault(405, '405: Method Not Allowed', { allow: [...allowed].join(', ') });
  };
}

function matchParts(parts: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    if (part === '*') return params;
    const segment = segments[index];
    if (segment === undefined) return undefined;
    if (part.startsWith(':')) params[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return segments.length === parts.length ? params : undefined;
}

/**
 * Cuts a request's target into parts. Throws an HttpFault 400 for what isn't a path, and for steps that would make it
 * mean something else to who authorizes than to who serves. Pure.
 */
export function parseTarget(target: string): RequestTarget {
  const mark = target.indexOf('?');
  const path = (mark < 0 ? target : target.slice(0, mark)).replace(/^https?:\/\/[^/]*/i, '');
  if (!path.startsWith('/')) throw new HttpFault(400, 'Bad Request: not a path');
  const raw = path.split('/').slice(1);
  const trailingSlash = raw.at(-1) === '';
  if (trailingSlash) raw.pop();
  const segments = raw.map((part) => {
    const segment = decodePart(part);
    if (/^\.{0,2}$/.test(segment) || /[/\\\0]/.test(segment)) throw new HttpFault(400, 'Bad Request: malformed path');
    return segment;
  });
  return { segments, trailingSlash, query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)) };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpFault(400, 'Bad Request: malformed escape');
  }
}
