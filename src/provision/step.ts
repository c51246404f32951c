import { Listr } from 'listr2';
import { formatBytes } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { HyperupError, messageOf, throwIfAborted } from '../base/errors.js';
import type { EmitProgress, ProgressEvent } from '../base/progress.js';

export type RendererChoice = 'default' | 'simple' | 'silent';

/** One step of a verb: takes the context, fills its own slot, may be run again. */
export interface Step<C> {
  readonly id: string;
  readonly title: string;
  /** A reason to leave the step out, or undefined to run it. */
  skip?(context: C): string | undefined;
  /** Gives a detail for the step's line, if there is one worth reading. */
  run(context: C, io: StepIo): Promise<string | undefined>;
}

/** What a step says while it runs. */
export interface StepIo {
  readonly emit: EmitProgress;
  /** For `waitFor`'s `onWait`. */
  wait(reason: string): void;
}

export interface RunStepsOptions {
  readonly renderer: RendererChoice;
  readonly emit: EmitProgress;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What a step's line on screen offers, of listr2's task. */
interface TaskLine {
  title: string | undefined;
  output: string | undefined;
  skip(message: string): void;
}

/** A progress event as the line below a running step. */
function outputLine(event: ProgressEvent): string | undefined {
  switch (event.type) {
    case 'transfer': {
      const total = event.totalBytes > 0 ? ` of ${formatBytes(event.totalBytes)}` : '';
      return `${event.image}: ${formatBytes(event.currentBytes)}${total} from ${event.source}`;
    }
    case 'output':
      return event.line;
    case 'wait':
      return `waiting: ${event.reason}`;
    case 'note':
      return event.hint === undefined ? event.message : `${event.message} (${event.hint})`;
    case 'step':
      return undefined;
  }
}

/**
 * Runs steps one after another as a listr2 list, and reports each as events. The first failure ends the run and is
 * thrown as it was.
 */
export async function runSteps<C extends object>(
  steps: readonly Step<C>[],
  context: C,
  options: RunStepsOptions,
): Promise<void> {
  const { signal } = options;
  const list = new Listr<C, RendererChoice, RendererChoice>(
    steps.map((step) => ({
      title: step.title,
      task: (_: C, task) => runStep(step, context, options, task),
    })),
    {
      renderer: options.renderer,
      fallbackRenderer: options.renderer === 'default' ? 'simple' : options.renderer,
      concurrent: false,
      exitOnError: true,
      registerSignalListeners: false,
      rendererOptions: { collapseErrors: false, showErrorMessage: false } as never,
    },
  );
  throwIfAborted(signal, 'run');
  await list.run(context).catch((error: unknown) => {
    throw error instanceof HyperupError ? error : asFailure(error, signal);
  });
}

function asFailure(error: unknown, signal: AbortSignal): HyperupError {
  if (signal.aborted) return new HyperupError('Aborted', 'interrupted', { cause: error });
  return new HyperupError('Internal', messageOf(error), { cause: error });
}

async function runStep<C extends object>(
  step: Step<C>,
  context: C,
  options: RunStepsOptions,
  task: TaskLine,
): Promise<void> {
  const { emit, clock, signal } = options;
  const head = { type: 'step', step: step.id, title: step.title } as const;
  throwIfAborted(signal, step.title);
  const reason = step.skip?.(context);
  if (reason !== undefined) {
    emit({ ...head, state: 'skipped', detail: reason });
    task.skip(`${step.title}: ${reason}`);
    return;
  }
  const startedMs = clock.monotonicMs();
  const elapsed = () => Math.round(clock.monotonicMs() - startedMs);
  const relay: EmitProgress = (event) => {
    emit(event);
    const line = outputLine(event);
    if (line !== undefined) task.output = line;
  };
  emit({ ...head, state: 'started' });
  try {
    const detail = await step.run(context, {
      emit: relay,
      wait: (why) => relay({ type: 'wait', step: step.id, reason: why }),
    });
    emit({ ...head, state: 'done', elapsedMs: elapsed(), ...(detail === undefined ? {} : { detail }) });
    if (detail !== undefined) task.title = `${step.title}: ${detail}`;
  } catch (error) {
    emit({ ...head, state: 'failed', elapsedMs: elapsed(), detail: messageOf(error) });
    throw error;
  }
}
