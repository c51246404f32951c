export type Component =
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kube-proxy'
  | 'kubelet'
  | 'kubectl';

/** The images that hyperup can make itself, each a folder under `images/`. */
export type BuildRecipe = 'hyperkube' | 'etcd' | 'pause';

export interface ReleaseImage {
  /** Unique in its release; names the image on the command line (`images pull etcd`). */
  readonly name: string;
  /** The canonical reference: what manifests and the kubelet's flags say. */
  readonly reference: string;
  /** How to make it from the distribution's packages, where that is possible for this release. */
  readonly recipe?: BuildRecipe;
}

export interface ComponentSource {
  /** A `ReleaseImage.name`. */
  readonly image: string;
  /** argv up to the component's first flag. */
  readonly command: readonly string[];
}

/** How a release's components are spread over images: all from hyperkube, or the control plane from an image each. */
export type ImageLayout = 'hyperkube' | 'component';

/** Who runs from which image. No image of the `component` layout holds a kubelet or kubectl. */
export type ReleasePrograms = Readonly<
  Record<Exclude<Component, 'kubelet' | 'kubectl'>, ComponentSource> &
    Partial<Record<'kubelet' | 'kubectl', ComponentSource>>
>;

/** One Kubernetes version as data: its images, who runs from which, and what differs by version. */
export interface ReleaseSpec {
  /** With the leading v. */
  readonly version: string;
  readonly images: readonly ReleaseImage[];
  readonly layout: ImageLayout;
  readonly components: ReleasePrograms;
  /** For clusters whose DNS it is; not one of `images`, which every cluster needs. */
  readonly coredns: ReleaseImage;
  /** What etcd's version must begin with to be trusted with this release. */
  readonly etcdSeries: string;
  /** False from 1.24, where the Go kubelet lost its Docker driver. */
  readonly dockershim: boolean;
}
