import { chmod, mkdtemp, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { dump } from 'js-yaml';
import { HyperupError } from '../base/errors.js';
import { fileError, pathExists, writeAtomic } from '../base/files.js';
import { makeFolder } from '../base/make-folder.js';
import type { InstallOptions } from '../config/types.js';
import { planDnsObjects } from '../controlplane/dns.js';
import { readManifests } from '../controlplane/manifests.js';
import { kubeletImageReference } from '../imagebuild/kubelet-image.js';
import { ensurePki } from '../pki/ensure-pki.js';
import { planPki } from '../pki/plan-pki.js';
import { releaseFor } from '../release/release-for.js';
import { dnsCommand } from './apply-dns.js';
import { kubeconfigFiles, kubeletConfigFile, staticPodFiles } from './cluster-files.js';
import { clusterInputs, type EngineTraits, pkiOptions, usualEngine } from './cluster-inputs.js';
import { plannedContainer } from './node-agent.js';
import { planDns } from './plan-dns.js';
import { planKubelet } from './plan-kubelet.js';
import { makeQuietRuntime, type RunContext } from './runtime.js';
import { withEngine } from './with-engine.js';

/**
 * Writes all that an install would put on the machine into a folder, and touches nothing else: certificates (new ones),
 * kubeconfigs, the kubelet's configuration and container, static pods, RBAC, the DNS server. The folder must be new or empty.
 * Without an engine the usual settings of one are taken. Gives the files, relative to the folder.
 */
export async function render(
  options: InstallOptions,
  dir: string,
  run: RunContext = {},
): Promise<{ readonly files: readonly string[] }> {
  const runtime = makeQuietRuntime(run);
  const { cluster } = options;
  const plan = planKubelet(cluster.kubelet, releaseFor(cluster.kubernetesVersion));
  const release = releaseFor(cluster.kubernetesVersion, plan.layouts[0]);
  // Nobody is asked for CoreDNS, so it is there only by the user's word.
  const dns = planDns(cluster).at(-1) ?? 'none';
  const target = resolve(dir);
  await assertEmpty(target);
  const engine = await withEngine(options.engineHost, runtime, (found): Promise<EngineTraits> => found.info()).catch(
    (error: unknown) => {
      if (error instanceof HyperupError && error.code === 'EngineUnreachable') return usualEngine;
      throw error;
    },
  );
  const inputs = await clusterInputs(cluster, release, engine, '/etc/resolv.conf', dns);
  const manifests = await readManifests(join(runtime.packageRoot, 'manifests'));
  // Written aside first: the folder appears whole, or not at all.
  const staging = await makeStaging(target);
  try {
    const pki = await ensurePki({
      dir: join(staging, 'pki'),
      plan: planPki(pkiOptions(cluster)),
      clock: runtime.clock,
      logger: runtime.logger,
    });
    const files = [
      ...kubeconfigFiles(cluster, pki),
      kubeletConfigFile(inputs.nodeAgent, 'standalone'),
      kubeletConfigFile(inputs.nodeAgent, 'member'),
      ...staticPodFiles(manifests, inputs.controlPlane),
    ];
    for (const file of files) {
      await writeAtomic(join(staging, relative(cluster.paths.configDir, file.path)), file.data, file.mode);
    }
    const rbac = manifests.rbac.map((object) => dump(object)).join('---\n');
    await writeAtomic(join(staging, 'rbac.yaml'), rbac);
    if (dns !== 'none') {
      const objects = planDnsObjects(dns, manifests.dns[dns], {
        cluster,
        image: dns === 'coredns' ? release.coredns.reference : kubeletImageReference(runtime.packageVersion),
        command: dnsCommand,
        hasResolvers: true,
      });
      await writeAtomic(join(staging, 'dns.yaml'), objects.map((object) => dump(object)).join('---\n'));
    }
    const container = JSON.stringify(plannedContainer(plan.kubelet, inputs.nodeAgent, runtime), undefined, 2);
    await writeAtomic(join(staging, 'kubelet-container.json'), `${container}\n`);
    return { files: await moveIntoPlace(staging, target) };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function makeStaging(target: string): Promise<string> {
  try {
    await makeFolder(dirname(target));
    return await mkdtemp(`${target}.`);
  } catch (error) {
    throw fileError('make', target, error);
  }
}

async function assertEmpty(dir: string): Promise<void> {
  if (!(await pathExists(dir))) return;
  const entries = await readdir(dir).catch((error: unknown) => {
    throw fileError('read', dir, error);
  });
  if (entries.length === 0) return;
  throw new HyperupError(
    'AlreadyExists',
    `render to ${dir}: got a folder with ${entries.length} files in it, want an empty one`,
    {
      hint: 'Name another folder, or remove this one.',
    },
  );
}

async function moveIntoPlace(staging: string, target: string): Promise<readonly string[]> {
  const entries = await readdir(staging, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(staging, join(entry.parentPath, entry.name)))
    .sort();
  if (await pathExists(target)) await rmdir(target);
  await chmod(staging, 0o700);
  await rename(staging, target);
  return files;
}
