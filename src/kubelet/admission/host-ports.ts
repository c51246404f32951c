import type { V1Pod } from '../../kube/pod-objects.js';

interface HostPort {
  readonly ip: string;
  readonly port: number;
  readonly protocol: string;
}

/** The host's ports that a pod takes; init containers' don't count, as the scheduler has it. */
function hostPortsOf(pod: V1Pod): readonly HostPort[] {
  return (pod.spec?.containers ?? []).flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP, protocol }) =>
      hostPort === undefined || hostPort <= 0
        ? []
        : [
            {
              ip: hostIP === undefined || hostIP === '' ? '0.0.0.0' : hostIP,
              port: hostPort,
              protocol: protocol ?? 'TCP',
            },
          ],
    ),
  );
}

/** The first port that both want; `0.0.0.0` wants it on every address. Pure. */
export function findPortConflict(pod: V1Pod, others: readonly V1Pod[]): number | undefined {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return undefined;
  const taken = others.flatMap(hostPortsOf);
  return wanted.find((port) =>
    taken.some(
      (other) =>
        other.port === port.port &&
        other.protocol === port.protocol &&
        (other.ip === port.ip || other.ip === '0.0.0.0' || port.ip === '0.0.0.0'),
    ),
  )?.port;
}
