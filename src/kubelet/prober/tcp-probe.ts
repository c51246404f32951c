import { connect } from 'node:net';
import type { V1Handler } from '../../kube/pod-objects.js';
import { joinHostPort, networkErrorText } from './go-errors.js';
import { hostOr, type ProbeTarget } from './http-probe.js';
import { type ProbeOutcome, portNumber } from './probe-outcome.js';

/**
 * Success where a connection can be made. Throws `InvalidConfig` for an unknown port, and the signal's reason (v1.20
 * `pkg/probe/tcp/tcp.go`).
 */
export async function probeTcp(
  action: NonNullable<V1Handler['tcpSocket']>,
  target: ProbeTarget,
): Promise<ProbeOutcome> {
  const port = portNumber(action.port, target.container);
  const host = hostOr(action.host, target.podIp);
  const { signal, timeoutMs } = target;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const finish = (settle: () => void) => {
      limit.removeEventListener('abort', onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = () =>
      finish(() => {
        if (signal.aborted) reject(signal.reason as Error);
        else resolve({ result: 'failure', output: `dial tcp ${joinHostPort(host, port)}: i/o timeout` });
      });
    if (limit.aborted) onAbort();
    limit.addEventListener('abort', onAbort);
    socket.on('connect', () => finish(() => resolve({ result: 'success', output: '' })));
    socket.on('error', (error) =>
      finish(() => resolve({ result: 'failure', output: networkErrorText(error, host, port) })),
    );
  });
}
