import { type Clock, systemClock } from '../base/clock.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { packageFacts } from '../base/package-root.js';
import type { EmitProgress } from '../base/progress.js';
import { type Environment, readEnvironment } from '../config/environment.js';
import { type Host, localHost } from '../host/host.js';
import { runCommand } from '../host/run-command.js';
import type { RendererChoice } from './step.js';

/** What a caller may give to every verb. */
export interface RunContext {
  readonly logger?: Logger;
  /** Who draws: `default` is a live list on a terminal, `silent` leaves the events to the caller. */
  readonly renderer?: RendererChoice;
  readonly signal?: AbortSignal;
}

/** The world outside as the verbs see it. */
export interface Runtime {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly host: Host;
  readonly env: Environment;
  readonly renderer: RendererChoice;
  readonly emit: EmitProgress;
  readonly signal: AbortSignal;
  /** Where `images/` and `manifests/` lie. */
  readonly packageRoot: string;
  readonly packageVersion: string;
}

/** The real world, with what the caller chose. */
export function makeRuntime(run: RunContext, emit: EmitProgress, signal: AbortSignal): Runtime {
  const { root, version } = packageFacts();
  return {
    clock: systemClock,
    logger: run.logger ?? silentLogger,
    host: localHost(runCommand),
    env: readEnvironment(),
    renderer: run.renderer ?? 'silent',
    emit,
    signal,
    packageRoot: root,
    packageVersion: version,
  };
}

/** The real world for a verb that reports nothing on its way and answers once. */
export function makeQuietRuntime(run: RunContext): Runtime {
  return makeRuntime(run, () => {}, run.signal ?? new AbortController().signal);
}
