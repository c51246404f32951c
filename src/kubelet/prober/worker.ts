import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { V1Probe } from '../../kube/pod-objects.js';
import type { ContainerId, ProbeKind, ProbeResult, RuntimeContainer } from '../types.js';
import type { ProbeOutcome } from './probe-outcome.js';

/** Attempts at a probe that could not be made (v1.20 `prober.go` `maxProbeRetries`). */
const attempts = 3;
/** The first of the probes between a container's first two regular ones; the next come after twice the time each. */
const firstExtraMs = 250;
/** On top of an initial delay: neither clocks nor the engine's times are exact, and too early is an error. */
const marginMs = 5;
/** No timer is longer. */
const maxSleepMs = 3_600_000;

export interface WorkerOptions {
  readonly clock: Clock;
  readonly kind: ProbeKind;
  readonly probe: V1Probe;
  /** The newest instance of the container. */
  readonly instance: () => RuntimeContainer | undefined;
  /** False while another probe has to succeed first. */
  readonly isUnlocked: (id: ContainerId) => boolean;
  readonly result: (id: ContainerId) => ProbeResult | undefined;
  readonly setResult: (id: ContainerId, result: ProbeResult) => void;
  readonly clearResult: (id: ContainerId) => void;
  readonly runProbe: (id: ContainerId, signal: AbortSignal) => Promise<ProbeOutcome>;
  /** `Unhealthy` or `ProbeWarning`. */
  readonly tell: (reason: string, message: string) => void;
  /** For an instance that ran before this kubelet did: how long its first probe waits at least. */
  readonly firstDelayMs: (instance: RuntimeContainer, periodMs: number) => number;
  readonly logger: Logger;
}

export interface Worker {
  /** Has it look at its container now. */
  wake(): void;
  stop(): Promise<void>;
}

const titles = { startup: 'Startup', readiness: 'Readiness', liveness: 'Liveness' } as const;

/**
 * Probes one container by one of its probes, for as long as it isn't stopped; the container's instances come and go.
 * The first probe comes as soon as the instance runs and its initial delay is over, the others each period after it.
 *
 * Until the first success of a readiness or startup probe there are some more in the first period (0.25, 0.75, 1.75 s … after
 * the first): an instance that was asked a moment too early would be unready for a whole period otherwise. Their failures
 * count for nothing and aren't told, nor is the first one's of an instance that has just started.
 *
 * Facts: v1.20 `pkg/kubelet/prober/worker.go`.
 */
export function startWorker(options: WorkerOptions): Worker {
  const { clock, kind, probe } = options;
  const periodMs = Math.max(1, probe.periodSeconds ?? 10) * 1000;
  let stopped = false;
  let woken = false;
  /** Ends its sleep; the same one for as long as nothing has woken it. */
  let alarm = new AbortController();
  let asleep = false;
  /** Ends the probe when it is stopped. */
  let interrupt = () => {};

  let id: ContainerId | undefined;
  let onHold = false;
  let lastResult: ProbeResult | undefined;
  let run = 0;
  // Monotonic: a wall clock that is set back would hold up all probes.
  let firstDueMs: number | undefined;
  let firstAtMs: number | undefined;
  let nextAtMs = 0;
  let nextIsExtra = false;
  let extraMs = firstExtraMs;

  function adopt(instance: RuntimeContainer): void {
    if (instance.id === id) return;
    if (id !== undefined) options.clearResult(id);
    id = instance.id;
    onHold = false;
    lastResult = undefined;
    run = 0;
    firstDueMs = undefined;
    firstAtMs = undefined;
    nextIsExtra = false;
    extraMs = firstExtraMs;
  }

  function computeFirstDueMs(instance: RuntimeContainer): number {
    const delayMs = (probe.initialDelaySeconds ?? 0) * 1000;
    const leftMs = delayMs === 0 ? 0 : instance.startedAtMs + delayMs + marginMs - clock.now();
    const boundedMs = Math.min(Math.max(leftMs, 0), delayMs + marginMs);
    return clock.monotonicMs() + Math.max(boundedMs, options.firstDelayMs(instance, periodMs));
  }

  /** One look: probes where it is time, and gives how long to wait before the next. */
  async function step(): Promise<number> {
    const instance = options.instance();
    if (!instance) return periodMs;
    adopt(instance);
    if (onHold) return periodMs;
    if (instance.state !== 'running') {
      if (kind === 'readiness' && instance.state === 'exited') options.setResult(instance.id, 'failure');
      return periodMs;
    }
    firstDueMs ??= computeFirstDueMs(instance);
    if (!options.isUnlocked(instance.id)) return periodMs;
    if (kind === 'startup' && options.result(instance.id) === 'success') return periodMs;
    const now = clock.monotonicMs();
    const dueMs = firstAtMs === undefined ? firstDueMs : nextAtMs;
    if (now < dueMs) return dueMs - now;
    const counts = !(firstAtMs === undefined ? isTooEarly(instance) : nextIsExtra);
    firstAtMs ??= now;
    await probeOnce(instance.id, counts);
    plan(firstAtMs, now);
    return Math.max(0, nextAtMs - clock.monotonicMs());
  }

  /** Hardly anything answers the moment it was started; whoever gives a delay means it. */
  function isTooEarly({ startedAtMs }: RuntimeContainer): boolean {
    return kind !== 'liveness' && !probe.initialDelaySeconds && clock.now() - startedAtMs < periodMs;
  }

  /** Regular probes keep to whole periods after the first; those that a slow one has missed are left out. */
  function plan(firstMs: number, startedMs: number): void {
    const now = clock.monotonicMs();
    nextAtMs = firstMs + Math.max(1, Math.ceil((now - firstMs) / periodMs)) * periodMs;
    if (nextAtMs <= startedMs) nextAtMs += periodMs;
    nextIsExtra = false;
    if (kind === 'liveness' || lastResult === 'success' || now >= firstMs + periodMs) return;
    const extraAtMs = Math.max(startedMs + extraMs, now);
    extraMs *= 2;
    nextIsExtra = extraAtMs < nextAtMs;
    if (nextIsExtra) nextAtMs = extraAtMs;
  }

  async function probeOnce(target: ContainerId, regular: boolean): Promise<void> {
    let outcome: ProbeOutcome | undefined;
    let failure: unknown;
    for (let attempt = 0; attempt < attempts && !outcome && !stopped; attempt += 1) {
      try {
        outcome = await ask(target);
      } catch (error) {
        failure = error;
      }
    }
    // What was found of an instance that has ended meanwhile says nothing.
    const now = options.instance();
    if (stopped || now?.id !== target || now.state !== 'running') return;
    if (!outcome) {
      if (regular) options.tell('Unhealthy', `${titles[kind]} probe errored: ${messageOf(failure)}`);
      return;
    }
    const { result, output } = outcome;
    if (result === 'failure' && !regular) return;
    if (result === 'failure') options.tell('Unhealthy', `${titles[kind]} probe failed: ${output}`);
    if (result === 'warning') options.tell('ProbeWarning', `${titles[kind]} probe warning: ${output}`);
    count(target, result === 'failure' ? 'failure' : 'success');
  }

  /** A probe that doesn't heed its signal must not hold up the end. */
  function ask(target: ContainerId): Promise<ProbeOutcome> {
    const cut = new AbortController();
    return new Promise((resolve, reject) => {
      interrupt = () => {
        cut.abort();
        reject(new Error('interrupted'));
      };
      options.runProbe(target, cut.signal).then(resolve, reject);
    });
  }

  function count(target: ContainerId, result: 'success' | 'failure'): void {
    run = lastResult === result ? run + 1 : 1;
    lastResult = result;
    const wanted = result === 'failure' ? (probe.failureThreshold ?? 3) : (probe.successThreshold ?? 1);
    if (run < wanted) return;
    options.setResult(target, result);
    if (kind !== 'readiness' && result === 'failure') {
      // It will be restarted; until then nothing is to be learned.
      onHold = true;
      run = 0;
    }
  }

  async function wait(ms: number): Promise<void> {
    if (!woken && !stopped) {
      asleep = true;
      await clock.sleep(Math.min(ms, maxSleepMs), alarm.signal).catch(() => {});
      asleep = false;
    }
    woken = false;
  }

  async function loop(): Promise<void> {
    while (!stopped) {
      await wait(
        await step().catch((error: unknown) => {
          options.logger.error('Probe worker failed', { kind, err: messageOf(error) });
          return periodMs;
        }),
      );
    }
  }

  function rouse(): void {
    if (!asleep) return;
    alarm.abort('woken');
    alarm = new AbortController();
  }

  const done = loop();
  return {
    wake() {
      woken = true;
      rouse();
    },
    async stop() {
      stopped = true;
      rouse();
      interrupt();
      await done;
    },
  };
}
