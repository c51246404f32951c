/** How a value is written on the command line, in the environment and in the file. */
export type OptionKind = 'text' | 'integer' | 'boolean' | 'list' | 'duration' | 'file' | 'folder';

/** One option in all its spellings: the flag, the variable, the key in the file and the place in `InstallOptions`. */
export interface OptionSpec {
  /** Where the value goes in `InstallOptions`. */
  readonly path: string;
  /** In commander's syntax; absent where there is no flag. */
  readonly flag?: string;
  readonly env?: string;
  /** The dotted key in the config file. */
  readonly file?: string;
  readonly kind: OptionKind;
  /** Completes "want …" in a fault. For a list it describes one element. */
  readonly wanted: string;
  readonly help: string;
  /** The values there are, for completion. */
  readonly choices?: readonly string[];
}

const port = 'a port from 1 to 65535';
const folder = 'an absolute path of a folder of its own';
const duration = 'a duration from 1s to 24h, such as 90s or 3m';

/** Every option of `install`, in the order of its help. */
export const optionTable = [
  {
    path: 'cluster.kubernetesVersion',
    flag: '--kubernetes-version <version>',
    env: 'HYPERUP_KUBERNETES_VERSION',
    file: 'cluster.kubernetesVersion',
    kind: 'text',
    wanted: 'a known Kubernetes version, such as v1.20.2',
    help: 'Kubernetes version to install (default: v1.20.2)',
  },
  {
    path: 'cluster.kubelet',
    flag: '--kubelet <kind>',
    env: 'HYPERUP_KUBELET',
    file: 'cluster.kubelet',
    kind: 'text',
    wanted: 'auto, hyperkube or builtin',
    help: 'which kubelet drives the engine: auto, hyperkube or builtin (default: auto)',
    choices: ['auto', 'hyperkube', 'builtin'],
  },
  {
    path: 'cluster.dns',
    flag: '--dns <kind>',
    env: 'HYPERUP_DNS',
    file: 'cluster.dns',
    kind: 'text',
    wanted: 'auto, coredns, builtin or none',
    help: "which server answers for the cluster's names: auto, coredns, builtin or none (default: auto)",
    choices: ['auto', 'coredns', 'builtin', 'none'],
  },
  {
    path: 'cluster.name',
    flag: '--name <name>',
    env: 'HYPERUP_NAME',
    file: 'cluster.name',
    kind: 'text',
    wanted: 'at most 40 of a-z, 0-9 and -, beginning and ending with a letter or digit',
    help: 'name of the cluster and of its kubeconfig entries (default: hyperup)',
  },
  {
    path: 'cluster.nodeName',
    flag: '--node-name <name>',
    env: 'HYPERUP_NODE_NAME',
    file: 'cluster.nodeName',
    kind: 'text',
    wanted: 'an RFC 1123 name: a-z, 0-9, - and ., beginning and ending with a letter or digit',
    help: "name of the node (default: this host's name)",
  },
  {
    path: 'cluster.nodeAddress',
    flag: '--node-address <address>',
    env: 'HYPERUP_NODE_ADDRESS',
    file: 'cluster.nodeAddress',
    kind: 'text',
    wanted: 'an IPv4 address of this host',
    help: "address of the API server (default: that of the default route's interface)",
  },
  {
    path: 'cluster.apiPort',
    flag: '--api-port <port>',
    env: 'HYPERUP_API_PORT',
    file: 'cluster.apiPort',
    kind: 'integer',
    wanted: port,
    help: 'port of the API server (default: 6443)',
  },
  {
    path: 'cluster.serviceCidr',
    flag: '--service-cidr <cidr>',
    env: 'HYPERUP_SERVICE_CIDR',
    file: 'cluster.serviceCidr',
    kind: 'text',
    wanted: 'an IPv4 range between /12 and /29 without host bits, such as 10.96.0.0/12',
    help: 'range of Service addresses (default: 10.96.0.0/12)',
  },
  {
    path: 'cluster.podCidr',
    flag: '--pod-cidr <cidr>',
    env: 'HYPERUP_POD_CIDR',
    file: 'cluster.podCidr',
    kind: 'text',
    wanted: 'an IPv4 range between /8 and /28 without host bits, such as 10.244.0.0/16',
    help: "range of pod addresses (default: the engine's bridge)",
  },
  {
    path: 'cluster.clusterDomain',
    env: 'HYPERUP_CLUSTER_DOMAIN',
    file: 'cluster.clusterDomain',
    kind: 'text',
    wanted: 'a DNS domain, such as cluster.local',
    help: 'DNS domain of the cluster',
  },
  {
    path: 'cluster.nodePortRange',
    env: 'HYPERUP_NODE_PORT_RANGE',
    file: 'cluster.nodePortRange',
    kind: 'text',
    wanted: 'two ports, the lower first, such as 30000-32767',
    help: 'ports that NodePort Services may have',
  },
  {
    path: 'cluster.extraSans',
    flag: '--extra-san <name>',
    env: 'HYPERUP_EXTRA_SANS',
    file: 'cluster.extraSans',
    kind: 'list',
    wanted: 'a DNS name or an IP address',
    help: "further name or address in the API server's certificate (repeatable)",
  },
  {
    path: 'cluster.paths.configDir',
    env: 'HYPERUP_CONFIG_DIR',
    file: 'cluster.paths.configDir',
    kind: 'folder',
    wanted: folder,
    help: 'PKI, kubeconfigs and static pods',
  },
  {
    path: 'cluster.paths.stateDir',
    flag: '--state-dir <dir>',
    env: 'HYPERUP_STATE_DIR',
    file: 'cluster.paths.stateDir',
    kind: 'folder',
    wanted: folder,
    help: "hyperup's journal and record of the install (default: /var/lib/hyperup)",
  },
  {
    path: 'cluster.paths.etcdDir',
    env: 'HYPERUP_ETCD_DIR',
    file: 'cluster.paths.etcdDir',
    kind: 'folder',
    wanted: folder,
    help: "etcd's data",
  },
  {
    path: 'cluster.paths.kubeletDir',
    env: 'HYPERUP_KUBELET_DIR',
    file: 'cluster.paths.kubeletDir',
    kind: 'folder',
    wanted: folder,
    help: "the kubelet's folder",
  },
  {
    path: 'cluster.paths.podLogDir',
    env: 'HYPERUP_POD_LOG_DIR',
    file: 'cluster.paths.podLogDir',
    kind: 'folder',
    wanted: folder,
    help: 'log files of pods',
  },
  {
    path: 'cluster.ports.etcdClient',
    env: 'HYPERUP_ETCD_CLIENT_PORT',
    file: 'cluster.ports.etcdClient',
    kind: 'integer',
    wanted: port,
    help: "etcd's port for clients",
  },
  {
    path: 'cluster.ports.etcdPeer',
    env: 'HYPERUP_ETCD_PEER_PORT',
    file: 'cluster.ports.etcdPeer',
    kind: 'integer',
    wanted: port,
    help: "etcd's port for peers",
  },
  {
    path: 'cluster.ports.controllerManager',
    env: 'HYPERUP_CONTROLLER_MANAGER_PORT',
    file: 'cluster.ports.controllerManager',
    kind: 'integer',
    wanted: port,
    help: "the controller manager's port",
  },
  {
    path: 'cluster.ports.scheduler',
    env: 'HYPERUP_SCHEDULER_PORT',
    file: 'cluster.ports.scheduler',
    kind: 'integer',
    wanted: port,
    help: "the scheduler's port",
  },
  {
    path: 'cluster.ports.kubelet',
    env: 'HYPERUP_KUBELET_PORT',
    file: 'cluster.ports.kubelet',
    kind: 'integer',
    wanted: port,
    help: "the kubelet's port",
  },
  {
    path: 'cluster.ports.kubeletHealth',
    env: 'HYPERUP_KUBELET_HEALTH_PORT',
    file: 'cluster.ports.kubeletHealth',
    kind: 'integer',
    wanted: port,
    help: "the kubelet's health port on 127.0.0.1",
  },
  {
    path: 'cluster.ports.proxyHealth',
    env: 'HYPERUP_PROXY_HEALTH_PORT',
    file: 'cluster.ports.proxyHealth',
    kind: 'integer',
    wanted: port,
    help: "kube-proxy's health port",
  },
  {
    path: 'cluster.ports.proxyMetrics',
    env: 'HYPERUP_PROXY_METRICS_PORT',
    file: 'cluster.ports.proxyMetrics',
    kind: 'integer',
    wanted: port,
    help: "kube-proxy's metrics port",
  },
  {
    path: 'images.mirrors',
    flag: '--mirror <mirror>',
    env: 'HYPERUP_MIRRORS',
    file: 'images.mirrors',
    kind: 'list',
    wanted: 'host[:port][/path], a template or the name of a preset',
    help: 'registry to try, host[:port][/path] or a preset such as cn (repeatable, in order)',
  },
  {
    path: 'images.lock',
    flag: '--lock <file>',
    env: 'HYPERUP_LOCK',
    file: 'images.lock',
    kind: 'file',
    wanted: 'the path of a file',
    help: 'take only the images that this lock names, from whichever mirror (see: images lock)',
  },
  {
    path: 'images.bundle',
    flag: '--bundle <file>',
    env: 'HYPERUP_BUNDLE',
    file: 'images.bundle',
    kind: 'file',
    wanted: 'the path of a file',
    help: 'take all images from this file of "images save" and ask no registry',
  },
  {
    path: 'images.build',
    flag: '--no-build',
    env: 'HYPERUP_BUILD',
    file: 'images.build',
    kind: 'boolean',
    wanted: 'true or false',
    help: "don't build images that no mirror serves",
  },
  {
    path: 'images.debianMirror',
    flag: '--debian-mirror <url>',
    env: 'HYPERUP_DEBIAN_MIRROR',
    file: 'images.debianMirror',
    kind: 'text',
    wanted: 'an http:// or https:// URL',
    help: "where to get Debian packages (default: what this host's apt says)",
  },
  {
    path: 'images.cacheDir',
    env: 'HYPERUP_CACHE_DIR',
    file: 'images.cacheDir',
    kind: 'folder',
    wanted: 'an absolute path',
    help: 'where built images, and parts of fetched ones, are kept between runs',
  },
  {
    path: 'images.stallMs',
    env: 'HYPERUP_STALL_TIMEOUT',
    file: 'images.stallTimeout',
    kind: 'duration',
    wanted: duration,
    help: 'how long a mirror may be silent',
  },
  {
    path: 'engineHost',
    flag: '--engine-host <host>',
    env: 'HYPERUP_ENGINE_HOST',
    file: 'engineHost',
    kind: 'text',
    wanted: 'unix:///path, tcp://host:port, http://host:port or https://host:port',
    help: "the engine's address (default: as the docker command finds it)",
  },
  {
    path: 'engineInstall',
    flag: '--install-engine',
    env: 'HYPERUP_INSTALL_ENGINE',
    file: 'engineInstall',
    kind: 'boolean',
    wanted: 'true or false',
    help: "install the distribution's Docker package if no engine answers",
  },
  {
    path: 'skipPreflight',
    flag: '--skip-preflight <ids>',
    env: 'HYPERUP_SKIP_PREFLIGHT',
    file: 'skipPreflight',
    kind: 'list',
    wanted: 'the id of a preflight check',
    help: 'preflight checks to leave out, separated by commas',
  },
  {
    path: 'kubeconfigPath',
    flag: '--kubeconfig <file>',
    env: 'HYPERUP_KUBECONFIG',
    file: 'kubeconfig',
    kind: 'file',
    wanted: 'the path of a file',
    help: 'file to merge the cluster into (default: first of $KUBECONFIG, else ~/.kube/config)',
  },
  {
    path: 'keepOnFailure',
    flag: '--keep-on-failure',
    env: 'HYPERUP_KEEP_ON_FAILURE',
    file: 'keepOnFailure',
    kind: 'boolean',
    wanted: 'true or false',
    help: "don't roll back when the install fails",
  },
  {
    path: 'timeoutMs',
    flag: '--timeout <duration>',
    env: 'HYPERUP_TIMEOUT',
    file: 'timeout',
    kind: 'duration',
    wanted: duration,
    help: 'how long each component may take to become healthy, such as 90s (default: 3m)',
  },
  {
    path: 'dryRun',
    flag: '--dry-run',
    kind: 'boolean',
    wanted: 'true or false',
    help: 'print the plan and change nothing',
  },
] as const satisfies readonly OptionSpec[];

/** A place in `InstallOptions` that can be set from outside. */
export type OptionPath = (typeof optionTable)[number]['path'];

/** The row of an option. */
export function optionSpec(path: OptionPath): OptionSpec {
  const spec = optionTable.find((row) => row.path === path);
  if (spec === undefined) throw new TypeError(`option table: no row ${path}`);
  return spec;
}

/** The flag without its argument: `--api-port`. */
export function flagName(spec: OptionSpec): string | undefined {
  return spec.flag?.split(' ')[0];
}
