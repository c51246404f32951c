import { HyperupError } from '../../base/errors.js';
import type { V1Container, V1Probe } from '../../kube/pod-objects.js';
import type { ContainerId, PodRuntime } from '../types.js';
import { probeExec } from './exec-probe.js';
import { probeGrpc } from './grpc-probe.js';
import { probeHttp } from './http-probe.js';
import type { ProbeOutcome } from './probe-outcome.js';
import { probeTcp } from './tcp-probe.js';

export interface ProbeCall {
  readonly id: ContainerId;
  readonly container: V1Container;
  readonly probe: V1Probe;
  readonly podIp: string;
  /** One for each call: it ends the probe. */
  readonly signal: AbortSignal;
}

/** Probes a container once, in the time that its probe allows. Throws where it could not be asked. */
export type RunProbe = (call: ProbeCall) => Promise<ProbeOutcome>;

/** Chooses the way of asking by what the probe has set. `version` is for the `User-Agent`. */
export function createProbeRunner(execSync: PodRuntime['execSync'], version: string): RunProbe {
  const userAgent = `kube-probe/${version}`;
  return ({ id, container, probe, podIp, signal }) => {
    const timeoutMs = Math.max(1, probe.timeoutSeconds ?? 1) * 1000;
    const target = { container, podIp, timeoutMs, userAgent, signal };
    if (probe.exec) return probeExec(execSync, id, container, probe.exec.command ?? [], { timeoutMs, signal });
    if (probe.httpGet) return probeHttp(probe.httpGet, target);
    if (probe.tcpSocket) return probeTcp(probe.tcpSocket, target);
    if (probe.grpc) return probeGrpc(probe.grpc, target);
    throw new HyperupError('InvalidConfig', `missing probe handler for ${container.name}`);
  };
}
