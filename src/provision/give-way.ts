import { HyperupError, isHyperupError } from '../base/errors.js';
import { logExcerpt } from '../base/log-excerpt.js';
import type { StaticComponent } from '../controlplane/component-flags.js';
import type { ContainerNodeAgent } from '../nodeagent/container-node-agent.js';
import { clearNode } from './clear-node.js';
import { findComponentContainer } from './component-containers.js';
import { diagnose } from './diagnose.js';
import { type InstallContext, slot } from './install-context.js';
import { journaledAgent } from './node-agent.js';
import { obtainBuiltinKubelet } from './obtain-builtin-kubelet.js';
import type { StepIo } from './step.js';
import { writeRecord } from './steps/prepare-host.js';

/** How long a Go kubelet has for what takes it a second where it can serve at all, if there is another to be had. */
const patienceMs = 60_000;
const watchIntervalMs = 500;
const shownLogLines = 10;

/** True where a Go kubelet runs that gives way to the built-in one if it can't serve. */
function mayGiveWay({ options, kubelet }: Pick<InstallContext, 'options' | 'kubelet'>): boolean {
  return kubelet === 'hyperkube' && options.cluster.kubelet === 'auto';
}

/** How long the kubelet has to be healthy. */
export function kubeletTimeoutMs(context: InstallContext): number {
  const { timeoutMs } = context.options;
  return mayGiveWay(context) ? Math.min(timeoutMs, patienceMs) : timeoutMs;
}

/** Starts a kubelet. Where the engine refuses that, the error says in its details that it is the kubelet's. */
export async function startAgent(agent: ContainerNodeAgent): Promise<void> {
  try {
    await agent.start();
  } catch (error) {
    if (!isHyperupError(error, 'EngineFailed')) throw error;
    const { message, hint, output, details } = error;
    throw new HyperupError('EngineFailed', message, {
      ...(hint === undefined ? {} : { hint }),
      ...(output === undefined ? {} : { output }),
      details: { ...details, component: 'kubelet' },
      cause: error,
    });
  }
}

/** True for failures that are the kubelet's own: of what `startAgent`, the agent and the waits for it throw. */
function isKubeletFault(error: unknown): error is HyperupError {
  if (!isHyperupError(error, 'Unhealthy') && !isHyperupError(error, 'EngineFailed')) return false;
  if (error.details['component'] !== 'kubelet') return false;
  // A full disk or a port that is taken would stop the other one too.
  return diagnose(`${error.message}\n${error.output ?? ''}`)?.ofMachine !== true;
}

export interface GiveWayOptions {
  /** The container that the kubelet is to make before all others. */
  readonly first?: StaticComponent;
  readonly obtain?: typeof obtainBuiltinKubelet;
}

/**
 * Does what needs a working kubelet. Where it is a Go kubelet that may give way, that one is watched meanwhile: if it ends,
 * or makes no container for `first`, or `work` fails because of it, this is told with its last log lines, the built-in
 * kubelet takes its place, and `work` is done again. `work` must stand being repeated, and heed its signal.
 */
export async function withKubelet<T>(
  context: InstallContext,
  io: StepIo,
  work: (signal: AbortSignal) => Promise<T>,
  options: GiveWayOptions = {},
): Promise<T> {
  if (!mayGiveWay(context)) return work(context.runtime.signal);
  try {
    return await watched(context, work, options.first);
  } catch (error) {
    if (!isKubeletFault(error)) throw error;
    await giveWay(context, io, error, options.obtain ?? obtainBuiltinKubelet);
  }
  return work(context.runtime.signal);
}

async function watched<T>(
  context: InstallContext,
  work: (signal: AbortSignal) => Promise<T>,
  first: StaticComponent | undefined,
): Promise<T> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.runtime.signal, stop.signal]);
  const working = work(signal);
  const watching = watch(context, first, signal);
  try {
    return await Promise.race([working, watching.then(() => working)]);
  } finally {
    stop.abort();
    // What `work` is making would otherwise come into being beside the other kubelet.
    await Promise.allSettled([working, watching]);
  }
}

/** Ends when the signal fires. Throws `Unhealthy` where the kubelet ends or does nothing. */
async function watch(
  context: InstallContext,
  first: StaticComponent | undefined,
  signal: AbortSignal,
): Promise<undefined> {
  const { options, runtime, slots } = context;
  const { clock } = runtime;
  const startedMs = clock.monotonicMs();
  const limitMs = kubeletTimeoutMs(context);
  let awaited = first;
  for (;;) {
    await clock.sleep(watchIntervalMs, signal).catch(() => {});
    if (signal.aborted) return undefined;
    const agent = slots.nodeAgent;
    await agent?.assertAlive().catch(rethrowUnhealthy);
    if (awaited !== undefined && agent) {
      const found = await findComponentContainer(slot(context, 'engine'), awaited, options.cluster.nodeName).catch(
        () => undefined,
      );
      if (found) awaited = undefined;
      else if (clock.monotonicMs() - startedMs >= limitMs) {
        throw new HyperupError(
          'Unhealthy',
          `start the kubelet: it has made no container of ${awaited} in ${Math.round(limitMs / 1000)} s`,
          { output: await agent.lastLog(25).catch(() => ''), details: { component: 'kubelet' } },
        );
      }
    }
  }
}

/** An engine that doesn't answer is no fault of the kubelet's, and shows where it is needed. */
function rethrowUnhealthy(error: unknown): void {
  if (isHyperupError(error, 'Unhealthy')) throw error;
}

/** Puts the built-in kubelet in the place of a Go kubelet that can't serve here. */
async function giveWay(
  context: InstallContext,
  io: StepIo,
  fault: HyperupError,
  obtain: typeof obtainBuiltinKubelet,
): Promise<void> {
  const { slots } = context;
  const log = logExcerpt((fault.output ?? '').trimEnd(), shownLogLines);
  const lines = log === '' ? [] : log.split('\n').map((line) => `  | ${line}`);
  io.emit({
    type: 'note',
    level: 'warn',
    message: [`the Go kubelet can't serve here, the built-in one takes its place: ${fault.message}`, ...lines].join(
      '\n',
    ),
    hint: '--kubelet builtin spares the try, --kubelet hyperkube insists on the Go kubelet.',
  });
  await slots.smoke?.stop();
  const builtin = await obtain(context);
  await clearNode(context);
  delete slots.smoke;
  delete slots.standalone;
  delete slots.member;
  slots.builtin = builtin;
  context.kubelet = 'builtin';
  await writeRecord(context);
  slots.nodeAgent = await journaledAgent(context, 'member');
  await startAgent(slots.nodeAgent);
}
