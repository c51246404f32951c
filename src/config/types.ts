export type KubeletChoice = 'auto' | 'hyperkube' | 'builtin';
/** Which server answers for the cluster's names. */
export type DnsServer = 'coredns' | 'builtin';
export type DnsKind = DnsServer | 'none';
export type DnsChoice = 'auto' | DnsKind;
export type ImageSourceChoice = 'engine' | 'mirror' | 'build';

/** All that an install depends on, validated and with every default filled in. */
export interface ClusterOptions {
  /** Names the cluster, its kubeconfig entries and its containers; `[a-z0-9-]`. */
  readonly name: string;
  /** With the leading v. */
  readonly kubernetesVersion: string;
  readonly kubelet: KubeletChoice;
  /** Absent from the records of clusters that were made before there was the choice. */
  readonly dns: DnsChoice;
  readonly nodeName: string;
  /** The address that the API server is reached at from this host and from pods. */
  readonly nodeAddress: string;
  readonly apiPort: number;
  readonly serviceCidr: string;
  readonly podCidr: string | undefined;
  readonly clusterDomain: string;
  readonly nodePortRange: string;
  readonly extraSans: readonly string[];
  readonly paths: ClusterPaths;
  readonly ports: ClusterPorts;
}

export interface ClusterPaths {
  /** PKI, kubeconfigs and static-pod manifests (`/etc/kubernetes`). */
  readonly configDir: string;
  /** The journal and the record of the install (`/var/lib/hyperup`). */
  readonly stateDir: string;
  readonly etcdDir: string;
  readonly kubeletDir: string;
  readonly podLogDir: string;
}

export interface ClusterPorts {
  readonly api: number;
  readonly etcdClient: number;
  readonly etcdPeer: number;
  readonly controllerManager: number;
  readonly scheduler: number;
  readonly kubelet: number;
  readonly kubeletHealth: number;
  readonly proxyHealth: number;
  readonly proxyMetrics: number;
}

export interface ImageOptions {
  /** In the user's order, as `--mirror` takes them: presets, `host[:port][/path]`, templates, `upstream`, `none`. */
  readonly mirrors: readonly string[];
  /** A `hyperup.lock` that every image is held to; undefined: none. */
  readonly lock: string | undefined;
  /** A file of `images save`: with it no registry is asked and nothing is built; undefined: none. */
  readonly bundle: string | undefined;
  readonly build: boolean;
  /** Where what was built, and what has come of images until they are in the engine, is kept between runs. */
  readonly cacheDir: string;
  /** How long one source may be silent, milliseconds. */
  readonly stallMs: number;
  /** Where the distribution's packages come from, where apt on this host doesn't say. */
  readonly debianMirror: string | undefined;
}

export interface InstallOptions {
  readonly cluster: ClusterOptions;
  readonly images: ImageOptions;
  /** DOCKER_HOST's form; undefined: found as the docker command finds it. */
  readonly engineHost: string | undefined;
  readonly engineInstall: boolean;
  readonly skipPreflight: readonly string[];
  readonly kubeconfigPath: string;
  readonly keepOnFailure: boolean;
  readonly dryRun: boolean;
  /** How long each component may take to become healthy, milliseconds. */
  readonly timeoutMs: number;
}

export interface UninstallOptions {
  readonly stateDir: string;
  readonly engineHost: string | undefined;
  readonly keepData: boolean;
  /** `purge` removes those that came for the cluster, and what was built here. */
  readonly images: 'keep' | 'purge';
  readonly yes: boolean;
}

/** What the verbs that look at an existing cluster need: where its record is and how to reach the engine. */
export interface ClusterQuery {
  readonly stateDir: string;
  readonly engineHost: string | undefined;
  /** How long one answer may take, milliseconds. */
  readonly timeoutMs: number;
}
