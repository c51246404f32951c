import type { V1Container, V1Pod, V1PodStatus } from '../../kube/pod-objects.js';
import { containerHash, initContainersOf } from '../pod/containers.js';
import type {
  ContainerKind,
  ContainerWithKind,
  ProbeResults,
  RuntimeContainer,
  RuntimePodStatus,
  RuntimeSandbox,
} from '../types.js';
import type { BackoffReader } from './crash-backoff.js';
import type { ContainerBackingOff, ContainerKill, ContainerStart, KillReason, PodActions } from './pod-actions.js';

export interface ComputePodActionsInput {
  readonly pod: V1Pod;
  readonly status: RuntimePodStatus;
  readonly probes: ProbeResults;
  readonly nowMs: number;
  readonly backoff: BackoffReader;
  /** The last that the API was told; restart counts go on from it where the engine has lost its containers. */
  readonly previous?: V1PodStatus | undefined;
}

/**
 * What has to be done so that the engine has what the pod's specification says. Pure; for pods that are not being
 * deleted and whose phase is not terminal. Source: `kuberuntime_manager.go` `computePodActions` (v1.20), sidecars as
 * `kuberuntime_container.go` `computeInitContainerActions` (v1.29).
 */
export function computePodActions(input: ComputePodActionsInput): PodActions {
  const plan = new Plan(input);
  const { pod, status } = input;
  const change = sandboxChange(pod, status);
  if (change) plan.startAnew(change);
  else plan.goOn();
  return plan.actions();
}

/** Why and how a sandbox is to be made, or undefined where the newest one is good. */
function sandboxChange(pod: V1Pod, status: RuntimePodStatus): NewSandbox | undefined {
  const [newest] = status.sandboxes;
  if (!newest) return { attempt: 0, replaces: false };
  const hostNetwork = pod.spec?.hostNetwork === true;
  const ready = status.sandboxes.filter(({ state }) => state === 'ready').length;
  const good =
    ready === 1 &&
    newest.state === 'ready' &&
    newest.hostNetwork === hostNetwork &&
    (hostNetwork || newest.ips.length > 0);
  if (good) return undefined;
  return { attempt: Math.max(...status.sandboxes.map(({ attempt }) => attempt)) + 1, replaces: true };
}

type NewSandbox = NonNullable<PodActions['newSandbox']>;

class Plan {
  readonly #input: ComputePodActionsInput;
  readonly #initContainers: readonly ContainerWithKind[];
  readonly #start: ContainerStart[] = [];
  readonly #kill: ContainerKill[] = [];
  readonly #backingOff: ContainerBackingOff[] = [];
  #purge: RuntimeContainer[] = [];
  #killPod = false;
  #newSandbox: NewSandbox | undefined;
  #sandbox: RuntimeSandbox | undefined;

  constructor(input: ComputePodActionsInput) {
    this.#input = input;
    this.#initContainers = initContainersOf(input.pod);
  }

  actions(): PodActions {
    const wakes = this.#backingOff.map(({ untilMs }) => untilMs);
    return {
      killPod: this.#killPod,
      // The whole pod is stopped anyway, but its containers are not started in a sandbox that goes.
      kill: this.#killPod ? [] : this.#kill,
      purge: this.#purge,
      newSandbox: this.#newSandbox,
      sandbox: this.#sandbox,
      start: this.#start,
      backingOff: this.#backingOff,
      nextWakeMs: wakes.length === 0 ? undefined : Math.min(...wakes),
    };
  }

  /** All that runs is stopped; a new sandbox, if anything is left to run in it. */
  startAnew(change: NewSandbox): void {
    const { status } = this.#input;
    this.#killPod = change.replaces;
    if (this.#policy === 'Never' && change.attempt !== 0 && status.containers.length > 0) return;
    const apps = this.#apps.filter((app) => !(this.#policy === 'OnFailure' && exitedWell(this.#newest(app.name))));
    if (apps.length === 0 && this.#wasInitialized()) return;
    this.#newSandbox = change;
    const initNames = new Set(this.#initContainers.map(({ container }) => container.name));
    this.#purge = status.containers.filter(({ name }) => initNames.has(name));
    const [first] = this.#initContainers;
    if (first) this.#startOrWait(first.container, first.kind);
    else for (const app of apps) this.#startOrWait(app, 'app');
  }

  /** The sandbox is good. */
  goOn(): void {
    this.#sandbox = this.#input.status.sandboxes[0];
    for (const container of this.#input.pod.spec?.ephemeralContainers ?? []) {
      if (!this.#newest(container.name)) this.#startOrWait(container, 'ephemeral');
    }
    if (!this.#planInit()) return;
    let kept = 0;
    let toStart = 0;
    for (const app of this.#apps) {
      const fate = this.#planApp(app);
      if (fate === 'kept') kept += 1;
      if (fate === 'started') toStart += 1;
    }
    if (kept > 0 || toStart > 0) return;
    this.#endPod();
  }

  get #policy(): 'Always' | 'OnFailure' | 'Never' {
    return this.#input.pod.spec?.restartPolicy ?? 'Always';
  }

  get #apps(): readonly V1Container[] {
    return this.#input.pod.spec?.containers ?? [];
  }

  #newest(name: string): RuntimeContainer | undefined {
    return this.#input.status.containers.find((instance) => instance.name === name);
  }

  #inSandbox(name: string): RuntimeContainer | undefined {
    const instance = this.#newest(name);
    return instance?.sandboxId === this.#sandbox?.id ? instance : undefined;
  }

  #endPod(): void {
    this.#killPod = true;
    this.#start.length = 0;
    this.#backingOff.length = 0;
  }

  /** In whatever sandbox. */
  #wasInitialized(): boolean {
    if (this.#apps.some(({ name }) => this.#newest(name))) return true;
    const inits = this.#initContainers.filter(({ kind }) => kind === 'init');
    return inits.every(({ container }) => exitedWell(this.#newest(container.name)));
  }

  /** True when app containers may run. From the last backwards, so that those that were collected don't run again. */
  #planInit(): boolean {
    const inits = this.#initContainers;
    if (this.#apps.some(({ name }) => this.#inSandbox(name))) {
      for (const { container, kind } of inits) if (kind === 'sidecar') this.#planSidecar(container);
      return true;
    }
    const reached = inits.findLastIndex(({ container }) => this.#inSandbox(container.name));
    for (const { container, kind } of inits.slice(0, Math.max(reached, 0))) {
      if (kind === 'sidecar') this.#planSidecar(container);
    }
    const current = inits[reached];
    if (current) {
      const done = current.kind === 'sidecar' ? this.#planSidecar(current.container) : this.#planInitStep(current);
      if (!done) return false;
    }
    const next = inits[reached + 1];
    if (!next) return true;
    this.#startOrWait(next.container, next.kind);
    return false;
  }

  /** True when it has succeeded. */
  #planInitStep({ container, kind }: ContainerWithKind): boolean {
    const instance = this.#inSandbox(container.name);
    if (exitedWell(instance)) return true;
    if (instance?.state === 'running') return false;
    if (instance?.state === 'exited' && this.#policy === 'Never') {
      this.#endPod();
      return false;
    }
    if (instance?.state === 'unknown') this.#stop(instance, container, kind, 'unknownState');
    this.#startOrWait(container, kind);
    return false;
  }

  /** True when it runs and has started up, so that the next one may start. */
  #planSidecar(container: V1Container): boolean {
    const instance = this.#inSandbox(container.name);
    if (instance?.state !== 'running') {
      if (instance?.state === 'unknown') this.#stop(instance, container, 'sidecar', 'unknownState');
      this.#startOrWait(container, 'sidecar');
      return false;
    }
    const reason = this.#killReason(container, instance);
    if (reason) {
      this.#stop(instance, container, 'sidecar', reason);
      this.#startOrWait(container, 'sidecar');
      return false;
    }
    return !container.startupProbe || this.#input.probes.result(instance.id, 'startup') === 'success';
  }

  #planApp(container: V1Container): 'kept' | 'started' | 'left' {
    const instance = this.#newest(container.name);
    if (instance?.state === 'running') {
      const reason = this.#killReason(container, instance);
      if (!reason) return 'kept';
      this.#stop(instance, container, 'app', reason);
      // Until it has stopped the pod is not at its end, and a sync follows.
      if (this.#policy === 'Never' && reason !== 'definitionChanged') return 'kept';
    } else if (!this.#mayStart(instance)) return 'left';
    if (instance?.state === 'unknown') this.#stop(instance, container, 'app', 'unknownState');
    this.#startOrWait(container, 'app');
    return 'started';
  }

  #mayStart(instance: RuntimeContainer | undefined): boolean {
    if (instance?.state !== 'exited') return true;
    if (this.#policy === 'OnFailure') return instance.exitCode !== 0;
    return this.#policy === 'Always';
  }

  #killReason(container: V1Container, instance: RuntimeContainer): KillReason | undefined {
    const { probes } = this.#input;
    if (instance.hash !== containerHash(container)) return 'definitionChanged';
    if (probes.result(instance.id, 'liveness') === 'failure') return 'livenessProbe';
    if (probes.result(instance.id, 'startup') === 'failure') return 'startupProbe';
    return undefined;
  }

  #stop(instance: RuntimeContainer, container: V1Container, kind: ContainerKind, reason: KillReason): void {
    const restarted = kind === 'sidecar' || this.#policy !== 'Never' || reason === 'definitionChanged';
    const why = {
      definitionChanged: `Container ${container.name} definition changed`,
      livenessProbe: `Container ${container.name} failed liveness probe`,
      startupProbe: `Container ${container.name} failed startup probe`,
      unknownState: `Container is in "unknown" state, try killing it before restart`,
    }[reason];
    const message = restarted && reason !== 'unknownState' ? `${why}, will be restarted` : why;
    this.#kill.push({ instance, container, kind, reason, message });
  }

  #startOrWait(container: V1Container, kind: ContainerKind): void {
    const { pod, status, backoff, nowMs } = this.#input;
    const { name } = container;
    const lastExit = status.containers.find((instance) => instance.name === name && instance.state === 'exited');
    if (lastExit) {
      const key = { podUid: pod.metadata?.uid ?? '', container: name, hash: containerHash(container) };
      const sinceMs = endedMs(lastExit);
      const delayMs = backoff.delayMs(key, sinceMs);
      const passedMs = nowMs - sinceMs;
      // An end that lies ahead is one from before the clock was set back: it may be long ago.
      if (passedMs > -clockToleranceMs && passedMs < delayMs) {
        this.#backingOff.push({ container, kind, delayMs, untilMs: sinceMs + delayMs, lastExit });
        return;
      }
    }
    // Made by a kubelet that ended before it started it. It never ran, so its place is taken, not counted.
    const unused = this.#newest(name);
    if (unused?.state === 'created' && !this.#purge.includes(unused)) this.#purge.push(unused);
    this.#start.push({ container, kind, attempt: this.#nextAttempt(name), lastExit });
  }

  #nextAttempt(name: string): number {
    const newest = this.#newest(name);
    const { previous } = this.#input;
    if (newest) return newest.state === 'created' ? newest.attempt : newest.attempt + 1;
    const told = [...(previous?.initContainerStatuses ?? []), ...(previous?.containerStatuses ?? [])].find(
      (status) => status.name === name,
    );
    const hadOne = Boolean(told?.containerID ?? told?.lastState?.terminated);
    return (told?.restartCount ?? 0) + (hadOne ? 1 : 0);
  }
}

/** The engine's times are finer than ours. */
const clockToleranceMs = 1000;

/** When an instance ended, or was made where it never started. */
export function endedMs(instance: RuntimeContainer): number {
  return instance.finishedAtMs || instance.createdAtMs;
}

function exitedWell(instance: RuntimeContainer | undefined): boolean {
  return instance?.state === 'exited' && instance.exitCode === 0;
}
