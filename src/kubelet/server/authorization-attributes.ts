import type { RequestAttributes } from './server-types.js';

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const subresources: Readonly<Record<string, string>> = {
  stats: 'stats',
  metrics: 'metrics',
  logs: 'log',
  spec: 'spec',
  checkpoint: 'checkpoint',
};

/** Finer ones than `proxy`, which lets in as well. Source: KubeletFineGrainedAuthz, 1.33. */
const fineSubresources: Readonly<Record<string, string>> = {
  pods: 'pods',
  runningpods: 'pods',
  healthz: 'healthz',
  configz: 'configz',
};

/**
 * What a request needs: one of these is enough, asked for in this order. `segments` are the path's, decoded. Pure.
 * Source: pkg/kubelet/server/auth.go, v1.20 and v1.33.
 */
export function requestAttributes(
  method: string,
  segments: readonly string[],
  nodeName: string,
): readonly RequestAttributes[] {
  const make = (subresource: string): RequestAttributes => ({
    verb: Object.hasOwn(verbs, method) ? (verbs[method] ?? '') : '',
    resource: 'nodes',
    subresource,
    name: nodeName,
  });
  const root = segments[0] ?? '';
  if (Object.hasOwn(subresources, root)) return [make(subresources[root] ?? '')];
  if (Object.hasOwn(fineSubresources, root)) return [make(fineSubresources[root] ?? ''), make('proxy')];
  return [make('proxy')];
}
