import type { Clock } from '../../base/clock.js';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { V1Container, V1Handler, V1HttpGetAction, V1Pod } from '../../kube/pod-objects.js';
import { goQuote } from '../pod/field-path.js';
import { podFullName, podUidOf } from '../pod/pod-names.js';
import type { ContainerId, Hooks, PodRuntime } from '../types.js';
import { httpGet, requestHeaders } from './http-get.js';
import { hostOr } from './http-probe.js';
import { outputLimitBytes, portNumber } from './probe-outcome.js';

export interface HooksOptions {
  readonly clock: Clock;
  readonly execSync: PodRuntime['execSync'];
  /** `1.20`, for the `User-Agent`. */
  readonly version?: string | undefined;
}

/**
 * Runs postStart and preStop handlers: a command, a GET (any answer is good, whatever its status) or a pause. None has a
 * time limit but its signal. Throws `Unhealthy` with the event's message where it fails, `Aborted` where the signal ended
 * it. `tcpSocket` is no handler to upstream either and fails (v1.20 `pkg/kubelet/lifecycle/handlers.go`; headers, HTTPS
 * v1.23; sleep v1.30).
 */
export function createHooks({ clock, execSync, version = '1.20' }: HooksOptions): Hooks {
  const userAgent = `kube-lifecycle/${version}`;

  async function runExec(id: ContainerId, command: readonly string[], signal: AbortSignal): Promise<string> {
    const { exitCode, output } = await execSync(id, command, { limitBytes: outputLimitBytes, signal });
    return exitCode === 0
      ? ''
      : `error: command '${command.join(' ')}' exited with ${exitCode}: ${output}, message: ${goQuote(output)}`;
  }

  async function runHttp(action: V1HttpGetAction, container: V1Container, podIp: string, signal: AbortSignal) {
    const host = hostOr(action.host, podIp);
    const request = {
      host,
      port: action.port === '' ? 80 : portNumber(action.port, container),
      path: action.path ?? '',
      headers: requestHeaders(action.httpHeaders ?? [], userAgent),
      signal,
      followOtherHosts: true,
    };
    if (action.scheme !== 'HTTPS') return httpGet({ ...request, scheme: 'http' });
    try {
      return await httpGet({ ...request, scheme: 'https' });
    } catch (error) {
      // Before v1.23 the scheme was passed over, and handlers that were wrong about it worked.
      if (!/wrong version number|packet length too long/i.test(messageOf(error))) throw error;
      return httpGet({ ...request, scheme: 'http' });
    }
  }

  /** Gives what went wrong, empty where nothing did. */
  async function runHandler(
    container: V1Container,
    id: ContainerId,
    handler: V1Handler,
    podIp: string,
    signal: AbortSignal,
  ): Promise<string> {
    if (handler.exec) return runExec(id, handler.exec.command ?? [], signal);
    if (handler.httpGet) {
      await runHttp(handler.httpGet, container, podIp, signal);
      return '';
    }
    if (handler.sleep) {
      await clock.sleep(handler.sleep.seconds * 1000, signal);
      return '';
    }
    return 'error: invalid handler';
  }

  return {
    async run(pod, container, id, handler, podIp, signal) {
      const failed = `${describeHandler(handler)} for Container "${container.name}" in Pod "${podFullName(pod)}(${podUidOf(pod)})" failed`;
      let fault: string;
      try {
        fault = await runHandler(container, id, handler, podIp, signal);
      } catch (error) {
        if (signal.aborted) throw new HyperupError('Aborted', `${failed}: interrupted`, { cause: error });
        throw new HyperupError('Unhealthy', `${failed} - error: ${messageOf(error)}, message: ""`, { cause: error });
      }
      if (fault !== '') throw new HyperupError('Unhealthy', `${failed} - ${fault}`, { details: hookDetails(pod) });
    },
  };
}

function describeHandler({ exec, httpGet: action, sleep }: V1Handler): string {
  if (exec) return `Exec lifecycle hook ([${(exec.command ?? []).join(' ')}])`;
  if (action) return `Http lifecycle hook (${action.path ?? ''})`;
  return sleep ? `Sleep lifecycle hook (${sleep.seconds}s)` : 'Lifecycle hook';
}

function hookDetails(pod: V1Pod): Readonly<Record<string, unknown>> {
  return { pod: podFullName(pod), podUID: podUidOf(pod) };
}
