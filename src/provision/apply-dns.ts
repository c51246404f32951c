import type { DnsServer } from '../config/types.js';
import { dnsDeployments, planDnsObjects } from '../controlplane/dns.js';
import { dnsProgram } from '../imagebuild/kubelet-image.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import type { KubeObject } from '../kube/objects.js';
import { resourceOf, resources } from '../kube/resource-ref.js';
import { type InstallContext, slot } from './install-context.js';
import { obtainBuiltinKubelet } from './obtain-builtin-kubelet.js';

/** The built-in server as the kubelet's image has it. */
export const dnsCommand: readonly string[] = ['/usr/local/bin/node', dnsProgram];

/**
 * Begins to make the image that the built-in server and the check of the DNS run from, beside whatever comes next; with the
 * built-in kubelet it is that one's. A failure shows to those who need it.
 */
export function startDnsImage(context: InstallContext): void {
  if (context.dns !== 'none') obtainBuiltinKubelet(context).catch(() => {});
}

/** Puts the DNS server's objects into the API. Its Service comes first to its address: nothing else may have that. */
export async function applyDns(context: InstallContext): Promise<void> {
  const { dns: server, options, release } = context;
  if (server === 'none') return;
  const kube = slot(context, 'kube');
  const objects = planDnsObjects(server, slot(context, 'manifests').dns[server], {
    cluster: options.cluster,
    image: server === 'coredns' ? release.coredns.reference : (await obtainBuiltinKubelet(context)).image,
    command: dnsCommand,
    hasResolvers: context.slots.hasResolvers ?? false,
  });
  if (!context.repairing) await dropFormerPods(kube);
  const other: DnsServer = server === 'coredns' ? 'builtin' : 'coredns';
  await Promise.all([
    ...objects.map((object) => kube.apply(resourceOf(object), object, { fieldManager: 'hyperup', force: true })),
    kube.delete(resources.deployments, { name: dnsDeployments[other], namespace: 'kube-system' }),
  ]);
}

/**
 * Data that an earlier cluster left has its DNS server's pod and token; the key that signed the token went with that
 * cluster. Both are made anew.
 */
async function dropFormerPods(kube: KubeClient): Promise<void> {
  const namespace = 'kube-system';
  const [secrets, pods] = await Promise.all([
    kube.list(resources.secrets, { namespace, fieldSelector: 'type=kubernetes.io/service-account-token' }),
    kube.list(resources.pods, { namespace, labelSelector: 'k8s-app=kube-dns' }),
  ]);
  const accounts = ['hyperup-dns', 'coredns'];
  const tokens = secrets.items.filter(({ metadata }) =>
    accounts.includes(metadata?.annotations?.['kubernetes.io/service-account.name'] ?? ''),
  );
  const nameOf = ({ metadata }: KubeObject) => metadata?.name ?? '';
  for (const token of tokens) await kube.delete(resources.secrets, { name: nameOf(token), namespace });
  for (const pod of pods.items) {
    await kube.delete(resources.pods, { name: nameOf(pod), namespace }, { gracePeriodSeconds: 0 });
  }
}
