import { HyperupError, isHyperupError, messageOf } from '../../base/errors.js';
import type { V1Container, V1HttpGetAction } from '../../kube/pod-objects.js';
import { httpGet, requestHeaders } from './http-get.js';
import { type ProbeOutcome, portNumber } from './probe-outcome.js';

export interface ProbeTarget {
  readonly container: V1Container;
  /** Where the probe names no host. */
  readonly podIp: string;
  readonly timeoutMs: number;
  readonly userAgent: string;
  readonly signal: AbortSignal;
}

/**
 * Asks over HTTP: 200 to 399 is success; a redirect to another host isn't followed and is a warning; every failure of the
 * network counts as the container's. Throws `InvalidConfig` for an unknown port and `Aborted` (v1.20
 * `pkg/probe/http/http.go`).
 */
export async function probeHttp(action: V1HttpGetAction, target: ProbeTarget): Promise<ProbeOutcome> {
  const { container, podIp, timeoutMs, userAgent, signal } = target;
  const port = portNumber(action.port, container);
  const host = hostOr(action.host, podIp);
  try {
    const { status, body } = await httpGet({
      scheme: action.scheme === 'HTTPS' ? 'https' : 'http',
      host,
      port,
      path: action.path ?? '',
      headers: requestHeaders(action.httpHeaders ?? [], userAgent),
      timeoutMs,
      signal,
      followOtherHosts: false,
    });
    if (status >= 200 && status < 300) return { result: 'success', output: body };
    if (status >= 300 && status < 400) return { result: 'warning', output: body };
    return { result: 'failure', output: `HTTP probe failed with statuscode: ${status}` };
  } catch (error) {
    if (isHyperupError(error, 'Aborted')) throw error;
    return { result: 'failure', output: messageOf(error) };
  }
}

/** An action's host, the pod's address where it has none. Throws `NotFound` where the pod has none either. */
export function hostOr(host: string | undefined, podIp: string): string {
  const chosen = host === undefined || host === '' ? podIp : host;
  // An empty host would be this machine.
  if (chosen === '') throw new HyperupError('NotFound', 'the pod has no address');
  return chosen;
}
