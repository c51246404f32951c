import { type Clock, systemClock } from '../base/clock.js';
import { type Logger, silentLogger } from '../base/logger.js';
import type { RunCommand } from '../base/run-command.js';
import type { Engine } from '../docker/types.js';
import { localHost } from '../host/host.js';
import type { EngineRuntime } from './engine-runtime.js';
import { spawnDaemon } from './spawn-daemon.js';

export interface LocalRuntimeOptions {
  /** `connectEngine` with the user's options and environment. */
  readonly connect: (signal: AbortSignal | undefined) => Promise<Engine>;
  readonly run: RunCommand;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** The runtime of the machine that this process runs on. */
export function localEngineRuntime(options: LocalRuntimeOptions): EngineRuntime {
  return {
    host: localHost(options.run),
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    isRoot: process.geteuid?.() === 0,
    connect: options.connect,
    spawnDaemon,
    sendSignal: (pid, signal) => {
      process.kill(pid, signal);
    },
  };
}
