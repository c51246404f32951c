import { join } from 'node:path';
import { readManifests } from '../../controlplane/manifests.js';
import { ensureDirectory, writeHostFile } from '../../host/changes.js';
import { ensurePki } from '../../pki/ensure-pki.js';
import { planPki } from '../../pki/plan-pki.js';
import { kubeconfigFiles } from '../cluster-files.js';
import { pkiOptions } from '../cluster-inputs.js';
import { pkiDir } from '../identities.js';
import { type InstallContext, slot } from '../install-context.js';
import type { Step } from '../step.js';
import { writeStaticPods } from '../write-static-pods.js';

/** Certificates and kubeconfigs, and then etcd and the API server, whose manifests the kubelet is waiting for. */
export const writeConfigurationStep: Step<InstallContext> = {
  id: 'configuration',
  title: 'Issue certificates and write the configuration',
  async run(context) {
    const { options, runtime, slots } = context;
    const { cluster } = options;
    const journal = slot(context, 'journal');
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
    for (const file of kubeconfigFiles(cluster, pki)) await writeHostFile(journal, file.path, file.data, file.mode);
    await writeStaticPods(context, ['etcd', 'kube-apiserver']);
    return `certificates valid until ${pki.earliestExpiry.slice(0, 10)}`;
  },
};
