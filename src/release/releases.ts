import type { BuildRecipe } from './types.js';

/** The facts of one Kubernetes version that its image sets are made from. */
export interface ReleaseFacts {
  /** With the leading v. */
  readonly version: string;
  /** The tag of `k8s.gcr.io/etcd` that kubeadm of this version asks for. */
  readonly etcdTag: string;
  /** The tag of `k8s.gcr.io/pause` that kubeadm of this version asks for. */
  readonly pauseTag: string;
  readonly etcdSeries: string;
  /** What of `k8s.gcr.io` kubeadm of this version takes for the cluster's DNS. */
  readonly coredns: string;
  readonly dockershim: boolean;
  /** What `images/` can make for it. */
  readonly recipes: readonly BuildRecipe[];
}

/**
 * What each version needs, oldest first. Source: `cmd/kubeadm/app/constants/constants.go` (`SupportedEtcdVersion`,
 * `CoreDNSVersion`) and `constants_unix.go` (`PauseVersion`) of the version's own tree.
 *
 * `k8s.gcr.io/hyperkube` ends with v1.18 (kubernetes/kubernetes#88676): from 1.19 the image under that name is one
 * that a mirror or `images/` provides. The etcd that `images/` makes is the distribution's, of the same series, under
 * the canonical tag; hence `etcdSeries` and not the tag is what a running etcd is held against.
 */
export const releaseFacts: readonly ReleaseFacts[] = Object.freeze(
  (
    [
      {
        version: 'v1.17.17',
        etcdTag: '3.4.3-0',
        pauseTag: '3.1',
        etcdSeries: '3.4',
        coredns: 'coredns:1.6.5',
        dockershim: true,
        recipes: [],
      },
      {
        version: 'v1.18.20',
        etcdTag: '3.4.3-0',
        pauseTag: '3.2',
        etcdSeries: '3.4',
        coredns: 'coredns:1.6.7',
        dockershim: true,
        recipes: [],
      },
      {
        version: 'v1.19.16',
        etcdTag: '3.4.13-0',
        pauseTag: '3.2',
        etcdSeries: '3.4',
        coredns: 'coredns:1.7.0',
        dockershim: true,
        recipes: [],
      },
      {
        version: 'v1.20.2',
        etcdTag: '3.4.13-0',
        pauseTag: '3.2',
        etcdSeries: '3.4',
        coredns: 'coredns:1.7.0',
        dockershim: true,
        recipes: ['hyperkube', 'etcd', 'pause'],
      },
      {
        version: 'v1.20.15',
        etcdTag: '3.4.13-0',
        pauseTag: '3.2',
        etcdSeries: '3.4',
        coredns: 'coredns:1.7.0',
        dockershim: true,
        recipes: [],
      },
      // The first minor whose kubelet can't drive Docker.
      {
        version: 'v1.24.3',
        etcdTag: '3.5.3-0',
        pauseTag: '3.7',
        etcdSeries: '3.5',
        coredns: 'coredns/coredns:v1.8.6',
        dockershim: false,
        recipes: [],
      },
    ] satisfies ReleaseFacts[]
  ).map((facts) => Object.freeze({ ...facts, recipes: Object.freeze(facts.recipes) })),
);

/** The version that is installed where none is named: the one that can also be built without any registry. */
export const defaultVersion = 'v1.20.2';
