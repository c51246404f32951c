import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../base/clock.js';
import { fileError } from '../base/files.js';
import type { ClusterQuery } from '../config/types.js';
import { openJournal } from '../host/journal.js';
import { type Kubeconfig, parseKubeconfig } from '../kube/kubeconfig.js';
import { removeFromKubeconfig } from '../kube/kubeconfig-file.js';
import { type ClusterRecord, requireRecord } from './cluster-record.js';
import { mergeJournaled } from './merge-kubeconfig.js';

async function adminKubeconfig(record: ClusterRecord): Promise<{ text: string; config: Kubeconfig }> {
  const path = join(record.cluster.paths.configDir, 'admin.conf');
  try {
    const text = await readFile(path, 'utf8');
    return { text, config: parseKubeconfig(text, path) };
  } catch (error) {
    throw fileError('read', path, error);
  }
}

/** The administrator's kubeconfig. Holds a private key. */
export async function kubeconfigPrint(query: ClusterQuery): Promise<string> {
  return (await adminKubeconfig(await requireRecord(query.stateDir))).text;
}

/** Merges it into a file and makes its context the current one; journaled, so that uninstall takes it out again. */
export async function kubeconfigMerge(
  query: ClusterQuery,
  path: string,
): Promise<{ readonly context: string; readonly changed: boolean }> {
  const record = await requireRecord(query.stateDir);
  const { config } = await adminKubeconfig(record);
  const journal = await openJournal({ dir: query.stateDir, clock: systemClock, command: 'hyperup kubeconfig' });
  try {
    const changed = await mergeJournaled(journal, { path, entryName: record.cluster.name, config });
    return { context: record.cluster.name, changed };
  } finally {
    await journal.close();
  }
}

/** Takes the cluster's entries out of a file. */
export async function kubeconfigRemove(query: ClusterQuery, path: string): Promise<{ readonly removed: boolean }> {
  const record = await requireRecord(query.stateDir);
  const journal = await openJournal({ dir: query.stateDir, clock: systemClock, command: 'hyperup kubeconfig' });
  try {
    const entry = journal.entries().find(({ change }) => change.kind === 'kubeconfig' && change.path === path);
    const change = entry?.change.kind === 'kubeconfig' ? entry.change : undefined;
    const { removed } = await removeFromKubeconfig({
      path,
      entryName: record.cluster.name,
      previousContext: change?.previousContext,
      created: change?.created ?? false,
    });
    if (entry) await journal.forget(entry.id);
    return { removed };
  } finally {
    await journal.close();
  }
}
