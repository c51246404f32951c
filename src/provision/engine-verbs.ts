import { type Operation, startOperation } from '../base/operation.js';
import type { ClusterQuery } from '../config/types.js';
import { connectEngine } from '../docker/connect.js';
import { type ConfigureEngineResult, configureEngine } from '../engine/configure-engine.js';
import type { EngineRuntime } from '../engine/engine-runtime.js';
import { type EngineStatus, engineStatus as readEngineStatus } from '../engine/engine-status.js';
import { type InstallEngineResult, installEngine } from '../engine/install-engine.js';
import { localEngineRuntime } from '../engine/local-runtime.js';
import { makeQuietRuntime, makeRuntime, type RunContext, type Runtime } from './runtime.js';

/** What the engine room needs, of the real machine. */
export function engineRuntime(engineHost: string | undefined, runtime: Runtime): EngineRuntime {
  return localEngineRuntime({
    connect: (signal) => connectEngine({ host: engineHost, env: runtime.env, signal }),
    run: runtime.host.run,
    clock: runtime.clock,
    logger: runtime.logger,
  });
}

/** Makes sure that a Docker Engine answers, installing the distribution's where there is none. */
export function engineInstall(
  options: { readonly engineHost: string | undefined; readonly timeoutMs: number },
  run: RunContext = {},
): Operation<InstallEngineResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    return installEngine(engineRuntime(options.engineHost, runtime), { emit, signal, timeoutMs: options.timeoutMs });
  }, run.signal);
}

/** Adds registry mirrors and insecure registries to the engine's daemon.json and reloads it. */
export function engineConfigure(
  options: {
    readonly engineHost: string | undefined;
    readonly registryMirrors: readonly string[];
    readonly insecureRegistries: readonly string[];
  },
  run: RunContext = {},
): Operation<ConfigureEngineResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const { registryMirrors, insecureRegistries } = options;
    return configureEngine(engineRuntime(options.engineHost, runtime), { registryMirrors, insecureRegistries, signal });
  }, run.signal);
}

/** Looks at the engine, changing nothing. */
export function engineStatus(query: ClusterQuery, run: RunContext = {}): Promise<EngineStatus> {
  const runtime = makeQuietRuntime(run);
  return readEngineStatus(engineRuntime(query.engineHost, runtime), runtime.signal);
}
