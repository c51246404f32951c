import type { InstallOptions } from '../config/types.js';
import { connectEngine } from '../docker/connect.js';
import type { Engine } from '../docker/types.js';
import { systemFactSources } from '../preflight/fact-sources.js';
import type { Facts } from '../preflight/facts.js';
import { gatherFacts } from '../preflight/gather-facts.js';
import { assertKnownIds, type PreflightResult, runPreflight } from '../preflight/run-preflight.js';
import type { Finding } from '../preflight/types.js';
import { makeQuietRuntime, type RunContext, type Runtime } from './runtime.js';

export interface MachineCheck {
  readonly result: PreflightResult;
  readonly facts: Facts;
}

/** Gathers the facts about this machine and judges them. `engineError` is why there is no engine. */
export async function checkMachine(
  options: InstallOptions,
  runtime: Pick<Runtime, 'host' | 'clock'>,
  found: { readonly engine: Engine | undefined; readonly engineError?: unknown },
  proofs = true,
): Promise<MachineCheck> {
  const skip = options.skipPreflight;
  assertKnownIds(skip);
  const sources = systemFactSources({ host: runtime.host, clock: runtime.clock, ...found });
  const facts = await gatherFacts(sources, { cluster: options.cluster, skip, proofs });
  return { facts, result: runPreflight(facts, { skip }) };
}

/** The checks alone, without an install: every finding, good or bad. */
export async function preflight(options: InstallOptions, run: RunContext = {}): Promise<readonly Finding[]> {
  const runtime = makeQuietRuntime(run);
  let engine: Engine | undefined;
  let engineError: unknown;
  try {
    engine = await connectEngine({ host: options.engineHost, env: runtime.env, signal: runtime.signal });
  } catch (error) {
    engineError = error;
  }
  try {
    return (await checkMachine(options, runtime, { engine, engineError })).result.findings;
  } finally {
    engine?.close();
  }
}
