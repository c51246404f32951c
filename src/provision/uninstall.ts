import { HyperupError, isHyperupError } from '../base/errors.js';
import { type Operation, startOperation } from '../base/operation.js';
import type { UninstallOptions } from '../config/types.js';
import { connectEngine } from '../docker/connect.js';
import type { Engine } from '../docker/types.js';
import { openJournal, readJournal } from '../host/journal.js';
import { removeBuilds } from '../imagebuild/image-builder.js';
import { removeStaleProbes } from '../preflight/remove-stale-probes.js';
import { componentImage } from '../release/image-of.js';
import { readRecord, recordedRelease } from './cluster-record.js';
import { findLeftovers } from './leftovers.js';
import { makeRuntime, type RunContext, type Runtime } from './runtime.js';
import type { UninstallResult } from './types.js';
import { keptPaths, undoChanges } from './undo-changes.js';

/**
 * Takes back all that the journal says was done to this machine, then looks for what is left. Works on a half-made
 * install, twice in a row, and after a crash or a reboot. Throws `LeftBehind` (through `result`) listing what stayed.
 */
export function uninstall(options: UninstallOptions, run: RunContext = {}): Operation<UninstallResult> {
  return startOperation(async (emit, signal) => {
    const runtime = makeRuntime(run, emit, signal);
    const startedMs = runtime.clock.monotonicMs();
    const elapsed = () => Math.round(runtime.clock.monotonicMs() - startedMs);
    const standing = await readJournal(options.stateDir);
    const engine = await connectIfThere(options, runtime);
    // Made before there is a journal, so no journal names them.
    if (engine) await removeStaleProbes(engine);
    if (standing === undefined) {
      engine?.close();
      return { undone: 0, leftovers: [], kept: [], elapsedMs: elapsed() };
    }
    const record = await readRecord(options.stateDir).catch(() => undefined);
    const journal = await openJournal({ dir: options.stateDir, clock: runtime.clock, command: 'hyperup uninstall' });
    const entries = journal.entries().map(({ change }) => change);
    const data = record ? [record.cluster.paths.etcdDir] : [];
    const keepPaths = new Set(options.keepData ? [...data, ...keptPaths(entries)] : []);
    try {
      const head = { type: 'step', step: 'undo', title: 'Take back what was changed' } as const;
      emit({ ...head, state: 'started' });
      const result = await undoChanges({
        journal,
        engine,
        host: runtime.host,
        emit,
        keepPaths,
        purgeImages: options.images === 'purge',
        toolsImage: record && componentImage(recordedRelease(record), 'kube-proxy'),
      });
      if (options.images === 'purge' && record) await removeBuilds(record.cacheDir);
      emit({ ...head, state: result.failures.length === 0 ? 'done' : 'failed', detail: `${result.undone} changes` });
      const leftovers = await findLeftovers(entries, { engine, host: runtime.host, keepPaths, result });
      const outcome = { undone: result.undone, leftovers, kept: result.kept, elapsedMs: elapsed() };
      if (leftovers.length === 0 && result.failures.length === 0) return outcome;
      throw new HyperupError(
        'LeftBehind',
        `uninstall: ${leftovers.length + result.failures.length} things stayed behind`,
        {
          output: [...result.failures.map((failure) => failure.message), ...leftovers].join('\n'),
          hint:
            result.failures.find((failure) => failure.hint)?.hint ??
            'Run hyperup uninstall again; it goes on where it stopped.',
          details: { ...outcome },
        },
      );
    } finally {
      await journal.close();
      engine?.close();
    }
  }, run.signal);
}

/** Without an engine the files can still be put back; what needs it stays in the journal. */
async function connectIfThere(options: UninstallOptions, runtime: Runtime): Promise<Engine | undefined> {
  try {
    return await connectEngine({ host: options.engineHost, env: runtime.env });
  } catch (error) {
    if (isHyperupError(error, 'EngineUnreachable')) return undefined;
    throw error;
  }
}
