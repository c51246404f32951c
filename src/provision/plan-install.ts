import { join } from 'node:path';
import { HyperupError } from '../base/errors.js';
import type { DnsKind, InstallOptions } from '../config/types.js';
import { dnsDeployments } from '../controlplane/dns.js';
import { readManifests } from '../controlplane/manifests.js';
import { kubeletImageReference } from '../imagebuild/kubelet-image.js';
import { type SurveyedImage, surveyImages } from '../mirror/survey.js';
import { entryPaths } from '../pki/pki-files.js';
import { planPki } from '../pki/plan-pki.js';
import { resolveFixes } from '../preflight/fixes.js';
import { neededPorts } from '../preflight/needed-ports.js';
import { preflightError } from '../preflight/run-preflight.js';
import { componentImage } from '../release/image-of.js';
import { releaseFor } from '../release/release-for.js';
import type { ReleaseImage, ReleaseSpec } from '../release/types.js';
import { dnsCommand } from './apply-dns.js';
import { checkMachine } from './check-machine.js';
import { kubeletConfigFile, staticPodFiles } from './cluster-files.js';
import { clusterInputs, pkiOptions } from './cluster-inputs.js';
import { recordPath } from './cluster-record.js';
import { pkiDir } from './identities.js';
import { withImageSources } from './image-sources.js';
import { plannedContainer } from './node-agent.js';
import { type DnsPlan, namedMirrors, planDns } from './plan-dns.js';
import { planKubelet } from './plan-kubelet.js';
import { makeQuietRuntime, type RunContext, type Runtime } from './runtime.js';
import { fromBundle, readBundled, withoutNetwork } from './steps/load-bundle.js';
import { makeImageBuilder } from './steps/obtain-images.js';
import type { InstallPlan } from './types.js';
import { withEngine } from './with-engine.js';

/**
 * What an install would do, without doing any of it: nothing is written, pulled, run or changed. Throws what would end
 * the install before its first change, the faults of the machine first.
 */
export async function planInstall(given: InstallOptions, run: RunContext = {}): Promise<InstallPlan> {
  const options = withoutNetwork(given);
  const runtime = makeQuietRuntime(run);
  const { cluster } = options;
  const plan = planKubelet(cluster.kubelet, releaseFor(cluster.kubernetesVersion));
  const bundled = await readBundled(options);
  return withEngine(options.engineHost, runtime, async (engine) => {
    const engineInfo = await engine.info();
    const { result, facts } = await checkMachine(options, runtime, { engine }, false);
    const error = preflightError(result);
    if (error) throw error;
    const resolvConf = facts.resolver.known ? facts.resolver.value.chosen : '/etc/resolv.conf';
    const manifests = await readManifests(join(runtime.packageRoot, 'manifests'));
    const builder = await makeImageBuilder(engine, engineInfo, options.images, runtime);
    const [{ release, images }, dns] = await withImageSources(
      options.images,
      engine,
      engineInfo,
      runtime,
      (sources) => {
        const survey = (images: readonly ReleaseImage[], mirrors = options.images.mirrors) =>
          surveyImages({
            engine,
            engineInfo,
            release: { images },
            options: { ...options.images, mirrors },
            ...sources,
            builder,
            signal: runtime.signal,
          }).then((found) => fromBundle(found, bundled));
        return Promise.all([
          surveyLayouts(
            plan.layouts.map((layout) => releaseFor(cluster.kubernetesVersion, layout)),
            (release) => survey(release.images),
          ),
          surveyDns(planDns(cluster), options.images.mirrors, (mirrors) =>
            survey([releaseFor(cluster.kubernetesVersion).coredns], mirrors),
          ),
        ]);
      },
    );
    const inputs = await clusterInputs(cluster, release, engineInfo, resolvConf, dns.kind);
    const pods = staticPodFiles(manifests, inputs.controlPlane);
    const known = [
      kubeletConfigFile(inputs.nodeAgent, 'standalone'),
      kubeletConfigFile(inputs.nodeAgent, 'member'),
      ...pods,
    ].map(({ path, mode, data }) => ({ path, mode, sizeBytes: Buffer.byteLength(data) }));
    const keys = planPki(pkiOptions(cluster)).flatMap((spec) => {
      const { certPath, keyPath } = entryPaths(pkiDir(cluster), spec);
      return [
        { path: certPath, mode: 0o644, sizeBytes: undefined },
        { path: keyPath, mode: 0o600, sizeBytes: undefined },
      ];
    });
    const kubeconfigs = ['admin', 'controller-manager', 'scheduler', 'kubelet', 'kube-proxy'].map((name) => ({
      path: join(cluster.paths.configDir, `${name}.conf`),
      mode: 0o600,
      sizeBytes: undefined,
    }));
    const kind = release.layout === 'component' ? 'builtin' : plan.kubelet;
    const kubelet = plannedContainer(kind, inputs.nodeAgent, runtime);
    const staticContainers = inputs.controlPlane.release.components;
    return {
      kubernetesVersion: release.version,
      images: [...images, ...dns.images],
      files: [
        ...keys,
        ...kubeconfigs,
        ...known,
        { path: recordPath(cluster.paths.stateDir), mode: 0o600, sizeBytes: undefined },
      ],
      containers: [
        { name: kubelet.name, image: kubelet.image, command: kubelet.command },
        ...pods.map(({ component }) => ({
          name: `static pod ${component}`,
          image: componentImage(release, component),
          command: staticContainers[component].command,
        })),
        ...dnsContainers(dns.kind, release, runtime),
      ],
      ports: neededPorts(cluster).map(({ port, component }) => ({ port, component })),
      hostChanges: [
        ...resolveFixes(result.findings).map(({ title }) => title),
        `journal every change in ${cluster.paths.stateDir}`,
        `packet filter chains KUBE-* by kubelet and kube-proxy`,
        `merge context ${cluster.name} into ${options.kubeconfigPath}`,
      ],
    };
  });
}

/** The DNS server that an install would settle for, and its image where that is not one that is made. */
async function surveyDns(
  [first, second]: DnsPlan,
  mirrors: readonly string[],
  survey: (mirrors: readonly string[]) => Promise<readonly SurveyedImage[]>,
): Promise<{ readonly kind: DnsKind; readonly images: readonly SurveyedImage[] }> {
  if (first !== 'coredns') return { kind: first, images: [] };
  const images = await survey(second === undefined ? mirrors : namedMirrors(mirrors));
  if (second === undefined || images.every(({ source }) => source !== 'unavailable')) return { kind: first, images };
  return { kind: second, images: [] };
}

function dnsContainers(kind: DnsKind, release: ReleaseSpec, { packageVersion }: Pick<Runtime, 'packageVersion'>) {
  if (kind === 'none') return [];
  const name = `pod ${dnsDeployments[kind]}`;
  return kind === 'coredns'
    ? [{ name, image: release.coredns.reference, command: ['/coredns'] }]
    : [{ name, image: kubeletImageReference(packageVersion), command: dnsCommand }];
}

/** The first of the releases whose images can all be had; where none is, the first, with what it lacks. */
async function surveyLayouts(
  releases: readonly ReleaseSpec[],
  survey: (release: ReleaseSpec) => Promise<readonly SurveyedImage[]>,
): Promise<{ readonly release: ReleaseSpec; readonly images: readonly SurveyedImage[] }> {
  const surveyed: { readonly release: ReleaseSpec; readonly images: readonly SurveyedImage[] }[] = [];
  for (const release of releases) {
    const images = await survey(release);
    surveyed.push({ release, images });
    if (images.every(({ source }) => source !== 'unavailable')) return { release, images };
  }
  const [first] = surveyed;
  if (!first) throw new HyperupError('Internal', 'survey images: no release was named');
  return first;
}
