import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureDirectory, writeHostFile } from '../../host/changes.js';
import { parseKubeconfig } from '../../kube/kubeconfig.js';
import { formatRecord, recordPath } from '../cluster-record.js';
import { findProgram } from '../find-program.js';
import { type InstallContext, slot } from '../install-context.js';
import { mergeJournaled } from '../merge-kubeconfig.js';
import type { Step } from '../step.js';
import { takeBundledKubectl } from '../take-bundled-kubectl.js';
import { takeKubectl } from '../take-kubectl.js';
import { makeRecord } from './prepare-host.js';

const kubectlPath = '/usr/local/bin/kubectl';

export const handOverStep: Step<InstallContext> = {
  id: 'handover',
  title: 'Hand over the kubeconfig',
  async run(context, io) {
    const { options, runtime, release, slots } = context;
    const journal = slot(context, 'journal');
    const admin = join(options.cluster.paths.configDir, 'admin.conf');
    const config = parseKubeconfig(await readFile(admin, 'utf8'), admin);
    await mergeJournaled(journal, { path: options.kubeconfigPath, entryName: options.cluster.name, config });
    slots.context = options.cluster.name;
    const present = await findProgram('kubectl', runtime.env['PATH']);
    const isInImage = release.components.kubectl !== undefined;
    if (present === undefined && isInImage) {
      await ensureDirectory(journal, dirname(kubectlPath), 0o755, false);
      await takeKubectl(slot(context, 'engine'), release, kubectlPath, journal);
    }
    const isInBundle =
      present === undefined &&
      !isInImage &&
      options.images.bundle !== undefined &&
      (await takeBundledKubectl(options.images.bundle, kubectlPath, journal));
    const kubectl = present ?? (isInImage || isInBundle ? kubectlPath : undefined);
    if (kubectl === undefined) {
      const message = 'there is no kubectl: this machine has none, and none of the images does';
      const hint = `Any kubectl of about ${release.version} will do; it finds the cluster in ${options.kubeconfigPath}.`;
      io.emit({ type: 'note', level: 'info', message, hint });
    } else slots.kubectl = kubectl;
    const record = formatRecord(makeRecord(context, 'installed'));
    await writeHostFile(journal, recordPath(options.cluster.paths.stateDir), record, 0o600);
    return options.kubeconfigPath;
  },
};
