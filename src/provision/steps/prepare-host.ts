import { pathExists } from '../../base/files.js';
import { ensureDirectory, ensureOwnContents, writeHostFile } from '../../host/changes.js';
import { listChains } from '../../host/netfilter.js';
import { ensureServiceRoute } from '../../host/service-route.js';
import { ensureSharedMount } from '../../host/shared-mount.js';
import { expectSysctls } from '../../host/sysctl.js';
import { resolveFixes } from '../../preflight/fixes.js';
import { clearNode } from '../clear-node.js';
import { type ClusterRecord, formatRecord, recordPath } from '../cluster-record.js';
import { bridgeCidr } from '../host-facts.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step } from '../step.js';

/** The record as it stands while the install runs. */
export function makeRecord(context: InstallContext, state: ClusterRecord['state']): ClusterRecord {
  const { options, runtime, slots } = context;
  return {
    format: 1,
    state,
    hyperupVersion: runtime.packageVersion,
    installedAt: new Date(runtime.clock.now()).toISOString(),
    kubelet: context.kubelet,
    layout: context.release.layout,
    dns: context.dns,
    podCidr: options.cluster.podCidr ?? bridgeCidr(),
    kubeconfigPath: options.kubeconfigPath,
    kubectl: slots.kubectl,
    cacheDir: options.images.cacheDir,
    cluster: options.cluster,
  };
}

/** Writes down how things stand while the install runs; a cluster that is repaired stays an installed one. */
export async function writeRecord(context: InstallContext): Promise<void> {
  const record = makeRecord(context, context.repairing ? 'installed' : 'installing');
  const path = recordPath(context.options.cluster.paths.stateDir);
  await writeHostFile(slot(context, 'journal'), path, formatRecord(record), 0o600);
}

export const prepareHostStep: Step<InstallContext> = {
  id: 'host',
  title: 'Prepare the host',
  async run(context) {
    const { options, runtime } = context;
    const { host } = runtime;
    const { paths } = options.cluster;
    const journal = slot(context, 'journal');
    const standing = new Set(journal.entries().map(({ change }) => change.kind));
    // Two kubelets in turn would each stop the other's pods, or not know them.
    if (context.record !== undefined && context.record.kubelet !== context.kubelet) await clearNode(context);
    await writeRecord(context);
    if (!standing.has('netfilter')) {
      await journal.record({ kind: 'netfilter', existingChains: (await listChains(host.run)) ?? [] });
    }
    await ensureDirectory(journal, paths.configDir, 0o755, true);
    await ensureDirectory(journal, paths.etcdDir, 0o700, true);
    // Packages and former clusters leave these, mostly empty.
    await ensureOwnContents(journal, paths.kubeletDir, 0o755);
    await ensureOwnContents(journal, paths.podLogDir, 0o755);
    await ensureOwnContents(journal, '/var/log/containers', 0o755);
    // After the folders: a fix that makes one does not own what comes into it.
    const fixes = resolveFixes(slot(context, 'findings'));
    for (const fix of fixes) await fix.apply(journal, host);
    // Asked for whatever preflight was told to skip: without it no volume reaches a pod.
    await ensureSharedMount(journal, paths.kubeletDir, host);
    // What the kubelet and kube-proxy will set by themselves.
    await expectSysctls(journal, host);
    await ensureServiceRoute(journal, options.cluster, host);
    await journalFile(context, '/run/xtables.lock');
    await journalFile(context, '/run/dockershim.sock');
    if (!standing.has('pods')) {
      await journal.record({ kind: 'pods', kubeletDir: paths.kubeletDir, nodeName: options.cluster.nodeName });
    }
    return fixes.length === 0 ? undefined : fixes.map(({ title }) => title).join('; ');
  },
};

/** A file that the components will make: ours to remove if it isn't there now. */
async function journalFile(context: InstallContext, path: string): Promise<void> {
  const journal = slot(context, 'journal');
  const known = journal.entries().some(({ change }) => change.kind === 'file' && change.path === path);
  if (known || (await pathExists(path))) return;
  await journal.record({ kind: 'file', path, backup: undefined });
}
