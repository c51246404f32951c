import { HyperupError, messageOf } from '../base/errors.js';
import type { EmitProgress } from '../base/progress.js';
import type { Engine } from '../docker/types.js';
import { removePodCgroups } from '../host/cgroups.js';
import type { Host } from '../host/host.js';
import type { Journal } from '../host/journal.js';
import type { HostChange, HostChangeKind, JournalEntry } from '../host/journal-types.js';
import { removeKubeChains } from '../host/netfilter.js';
import { type PlainHostChange, undoHostChange } from '../host/undo.js';
import { unmountUnder } from '../host/unmount.js';
import { removeFromKubeconfig } from '../kube/kubeconfig-file.js';
import { runOnHostOrInImage } from './run-in-image.js';
import { stopPods } from './stop-pods.js';

export interface UndoOptions {
  readonly journal: Journal;
  /** Undefined where no engine answers: what needs one stays in the journal. */
  readonly engine: Engine | undefined;
  readonly host: Host;
  readonly emit: EmitProgress;
  /** Folders that stay though the journal says we made them (`--keep-data`). */
  readonly keepPaths: ReadonlySet<string>;
  readonly purgeImages: boolean;
  /** An image that has the network tools which this host may lack. */
  readonly toolsImage: string | undefined;
}

export interface UndoResult {
  readonly undone: number;
  /** Left on purpose or for a reason, one line each. */
  readonly kept: readonly string[];
  readonly failures: readonly HyperupError[];
}

type Undo<C extends HostChange> = (change: C, entry: JournalEntry, options: UndoOptions) => Promise<string | undefined>;

function requireEngine(options: UndoOptions, what: string): Engine {
  if (options.engine) return options.engine;
  throw new HyperupError('EngineUnreachable', `${what}: no Docker Engine answers`, {
    hint: 'Start the engine, then run hyperup uninstall again; it goes on where it stopped.',
  });
}

const plain: Undo<PlainHostChange> = async (change, _, options) => (await undoHostChange(change, options.host)).kept;

/** One executor a kind; a kind without one does not compile. Each may be called twice. */
const executors: { readonly [K in HostChangeKind]: Undo<Extract<HostChange, { kind: K }>> } = {
  directory: plain,
  contents: plain,
  file: plain,
  sharedMount: plain,
  sysctl: plain,
  route: plain,
  async container(change, _, options) {
    const engine = requireEngine(options, `remove container ${change.name}`);
    const labels = Object.entries(change.labels).map(([key, value]) => `${key}=${value}`);
    for (const { id } of await engine.listContainers({ all: true, labels })) {
      await engine.stopContainer(id, 2);
      await engine.removeContainer(id, { force: true });
    }
    return undefined;
  },
  async pods(change, entry, options) {
    await stopPods(requireEngine(options, 'stop the pods'), entry.time);
    const { left } = await unmountUnder(change.kubeletDir, options.host);
    if (left.length > 0) {
      throw new HyperupError('LeftBehind', `unmount below ${change.kubeletDir}: still mounted: ${left.join(', ')}`);
    }
    await removePodCgroups(options.host);
    return undefined;
  },
  async netfilter(change, _, options) {
    const { engine, host, toolsImage } = options;
    // The host may lack iptables, and mostly lacks nft, which alone removes a table: the image has both.
    const run = engine && toolsImage ? runOnHostOrInImage(host.run, engine, toolsImage) : host.run;
    const result = await removeKubeChains({ run, keep: change.existingChains });
    if (!result.examined) return 'netfilter rules: no iptables program here to look at them with';
    const kept = [
      ...result.kept.map(({ chain, rule }) => `${chain}: a rule of somebody else's jumps to it: ${rule}`),
      ...result.emptyTables.map((table) => `${table}: an empty table, which only the nft program removes`),
    ];
    return kept.length > 0 ? kept.join('; ') : undefined;
  },
  async kubeconfig(change) {
    await removeFromKubeconfig({
      path: change.path,
      entryName: change.entry,
      previousContext: change.previousContext,
      created: change.created,
    });
    return undefined;
  },
  async imageTag(change, _, options) {
    if (!options.purgeImages) return `image ${change.reference}`;
    const engine = requireEngine(options, `remove image ${change.reference}`);
    await engine.removeImage(change.reference);
    if (change.pulledAs !== undefined) await engine.removeImage(change.pulledAs);
    if (change.previousId !== undefined) await engine.tagImage(change.previousId, change.reference);
    return undefined;
  },
};

async function undoEntry(entry: JournalEntry, options: UndoOptions): Promise<string | undefined> {
  const run = executors[entry.change.kind] as Undo<HostChange>;
  return run(entry.change, entry, options);
}

/** Folders with data that an earlier uninstall was told to keep. */
export function keptPaths(changes: readonly HostChange[]): readonly string[] {
  return changes.flatMap((change) => (change.kind === 'directory' && change.kept ? [change.path] : []));
}

/** A kept folder stays in the journal, marked: an uninstall that isn't told to keep it still takes it. */
async function keepFolder(entry: JournalEntry, { journal, keepPaths }: UndoOptions): Promise<string | undefined> {
  const { change } = entry;
  if (change.kind !== 'directory' || !keepPaths.has(change.path)) return undefined;
  if (!change.kept) {
    await journal.record({ ...change, kept: true });
    await journal.forget(entry.id);
  }
  return `${change.path}: kept`;
}

/**
 * Takes back every change in the journal, newest first; the pods go before all else that is left, for they use the
 * rest. What fails stays in the journal and does not stop the others.
 */
export async function undoChanges(options: UndoOptions): Promise<UndoResult> {
  const { journal, emit } = options;
  const kept: string[] = [];
  const failures: HyperupError[] = [];
  let undone = 0;
  for (const entry of [...journal.entries()].reverse()) {
    try {
      const keeping = await keepFolder(entry, options);
      if (keeping !== undefined) {
        kept.push(keeping);
        continue;
      }
      const reason = await undoEntry(entry, options);
      if (reason !== undefined) kept.push(reason);
      await journal.forget(entry.id);
      undone += 1;
    } catch (error) {
      const failure =
        error instanceof HyperupError ? error : new HyperupError('LeftBehind', messageOf(error), { cause: error });
      failures.push(failure);
      emit({ type: 'note', level: 'warn', message: failure.message, ...(failure.hint ? { hint: failure.hint } : {}) });
    }
  }
  return { undone, kept, failures };
}
