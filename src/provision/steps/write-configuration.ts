import { join } from 'node:path';
import { readManifests } from '../../controlplane/manifests.js';
import { ensureDirectory, writeHostFile } from '../../host/changes.js';
import { ensurePki } from '../../pki/ensure-pki.js';
import { planPki } from '../../pki/plan-pki.js';
import { kubeconfigFiles, kubeletConfigFile } from '../cluster-files.js';
import { clusterInputs, pkiOptions } from '../cluster-inputs.js';
import { pkiDir } from '../identities.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step } from '../step.js';

/** Certificates, kubeconfigs and the kubelet's configuration: everything that is there before the first process. */
export const writeConfigurationStep: Step<InstallContext> = {
  id: 'configuration',
  title: 'Issue certificates and write the configuration',
  async run(context) {
    const { options, runtime, release, slots } = context;
    const { cluster } = options;
    const journal = slot(context, 'journal');
    const info = slot(context, 'engineInfo');
    const dir = pkiDir(cluster);
    await ensureDirectory(journal, dir, 0o700, true);
    const pki = await ensurePki({
      dir,
      plan: planPki(pkiOptions(cluster)),
      clock: runtime.clock,
      logger: runtime.logger,
    });
    slots.pki = pki;
    slots.manifests = await readManifests(join(runtime.packageRoot, 'manifests'));
    const inputs = await clusterInputs(cluster, release, info, slots.resolvConf ?? '/etc/resolv.conf');
    slots.controlPlane = inputs.controlPlane;
    slots.nodeAgentInputs = inputs.nodeAgent;
    await ensureDirectory(journal, join(cluster.paths.configDir, 'manifests'), 0o700, true);
    const kubelet = (['standalone', 'member'] as const).map((mode) => kubeletConfigFile(inputs.nodeAgent, mode));
    for (const file of [...kubeconfigFiles(cluster, pki), ...kubelet]) {
      await writeHostFile(journal, file.path, file.data, file.mode);
    }
    return `certificates valid until ${pki.earliestExpiry.slice(0, 10)}`;
  },
};
