import { realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HyperupError } from '../../base/errors.js';
import { fileError, readTextIfPresent } from '../../base/files.js';
import { buildKubeconfig, type Kubeconfig, parseKubeconfig } from '../../kube/kubeconfig.js';
import { checkKubeconfigMerge } from '../../kube/kubeconfig-file.js';
import { serverUrl } from '../identities.js';
import type { InstallContext } from '../install-context.js';
import type { Step } from '../step.js';

/** Whether the cluster can be handed over at the end, found out before it is begun. Leaves nothing behind. */
export const checkKubeconfigStep: Step<InstallContext> = {
  id: 'kubeconfig',
  title: 'Check the kubeconfig',
  async run(context) {
    const { cluster, kubeconfigPath: path } = context.options;
    const config = await expectedEntries(context);
    const { missingFolders } = await checkKubeconfigMerge({ path, entryName: cluster.name, config });
    const file = await realpath(path).catch(() => path);
    await proveWritable(dirname(missingFolders[0] ?? file), path);
    return path;
  },
};

/** What an earlier run made; else the same names with nothing in them, which no entry of others' is equal to. */
async function expectedEntries({ options: { cluster } }: InstallContext): Promise<Kubeconfig> {
  const admin = join(cluster.paths.configDir, 'admin.conf');
  const text = await readTextIfPresent(admin);
  if (text !== undefined) return parseKubeconfig(text, admin);
  return buildKubeconfig({ name: cluster.name, server: serverUrl(cluster), caPem: '' });
}

/** Root may write wherever the modes say no, but not on a full disk, a read-only mount or below /proc; only trying tells. */
async function proveWritable(folder: string, kubeconfigPath: string): Promise<void> {
  const probe = join(folder, `.hyperup-probe-${process.pid}`);
  try {
    await writeFile(probe, 'x', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code, message, details, hint } = fileError('write', kubeconfigPath, error);
    throw new HyperupError(code, message, {
      cause: error,
      details,
      hint: hint ?? 'Name another file with --kubeconfig.',
    });
  } finally {
    await rm(probe, { force: true }).catch(() => {});
  }
}
