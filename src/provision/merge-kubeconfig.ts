import { readFile } from 'node:fs/promises';
import { ensureDirectory } from '../host/changes.js';
import type { Journal } from '../host/journal.js';
import { isSameChange } from '../host/journal-format.js';
import { type Kubeconfig, parseKubeconfig } from '../kube/kubeconfig.js';
import { checkKubeconfigMerge, mergeKubeconfig } from '../kube/kubeconfig-file.js';

/**
 * Merges a cluster's kubeconfig into a user's file, journaled first with what it takes to undo it. Gives whether the
 * file was changed. Idempotent. Throws what `mergeKubeconfig` throws; the file is then untouched.
 */
export async function mergeJournaled(
  journal: Journal,
  merge: { readonly path: string; readonly entryName: string; readonly config: Kubeconfig },
): Promise<boolean> {
  const { path, entryName } = merge;
  const { exists, missingFolders } = await checkKubeconfigMerge(merge);
  const change = { kind: 'kubeconfig', path, entry: entryName, previousContext: undefined, created: !exists } as const;
  if (!journal.entries().some((entry) => isSameChange(entry.change, change))) {
    for (const folder of missingFolders) await ensureDirectory(journal, folder, 0o755, false);
    const previous = exists ? parseKubeconfig(await readFile(path, 'utf8'), path)['current-context'] : undefined;
    await journal.record({ ...change, previousContext: previous === entryName ? undefined : previous });
  }
  return (await mergeKubeconfig(merge)).changed;
}
