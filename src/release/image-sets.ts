import type { ReleaseFacts } from './releases.js';
import type { BuildRecipe, ComponentSource, ImageLayout, ReleaseImage, ReleasePrograms, ReleaseSpec } from './types.js';

const registry = 'k8s.gcr.io';

/** Those that kubeadm also runs from an image of their own. */
const componentImages = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'] as const;

/** The release's image set in one of the two layouts, frozen. */
export function imageSet(facts: ReleaseFacts, layout: ImageLayout): ReleaseSpec {
  const programs = layout === 'hyperkube' ? (['hyperkube'] as const) : componentImages;
  const images = [
    ...programs.map((name) => releaseImage(facts, name, facts.version)),
    releaseImage(facts, 'etcd', facts.etcdTag),
    releaseImage(facts, 'pause', facts.pauseTag),
  ];
  return Object.freeze({
    version: facts.version,
    layout,
    images: Object.freeze(images),
    components: Object.freeze(layout === 'hyperkube' ? hyperkubeComponents() : separateComponents()),
    coredns: Object.freeze({ name: 'coredns', reference: `${registry}/${facts.coredns}` }),
    etcdSeries: facts.etcdSeries,
    dockershim: facts.dockershim,
  });
}

function releaseImage(facts: ReleaseFacts, name: string, tag: string): ReleaseImage {
  const recipe = facts.recipes.find((candidate: BuildRecipe) => candidate === name);
  return Object.freeze({ name, reference: `${registry}/${name}:${tag}`, ...(recipe ? { recipe } : {}) });
}

function hyperkubeComponents(): ReleasePrograms {
  return {
    etcd: source('etcd', 'etcd'),
    'kube-apiserver': source('hyperkube', '/hyperkube', 'kube-apiserver'),
    'kube-controller-manager': source('hyperkube', '/hyperkube', 'kube-controller-manager'),
    'kube-scheduler': source('hyperkube', '/hyperkube', 'kube-scheduler'),
    'kube-proxy': source('hyperkube', '/hyperkube', 'kube-proxy'),
    kubelet: source('hyperkube', '/hyperkube', 'kubelet'),
    kubectl: source('hyperkube', '/hyperkube', 'kubectl'),
  };
}

/** The commands are kubeadm's (`phases/controlplane/manifests.go`, `phases/addons/proxy/manifests.go`). */
function separateComponents(): ReleasePrograms {
  return {
    etcd: source('etcd', 'etcd'),
    'kube-apiserver': source('kube-apiserver', 'kube-apiserver'),
    'kube-controller-manager': source('kube-controller-manager', 'kube-controller-manager'),
    'kube-scheduler': source('kube-scheduler', 'kube-scheduler'),
    'kube-proxy': source('kube-proxy', '/usr/local/bin/kube-proxy'),
  };
}

function source(image: string, ...command: string[]): ComponentSource {
  return Object.freeze({ image, command: Object.freeze(command) });
}
