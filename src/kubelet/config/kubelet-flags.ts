import { HyperupError } from '../../base/errors.js';

export type FlagValue = string | boolean;

interface FlagFacts {
  readonly summary: string;
  /** The field of the configuration file that it overrides. */
  readonly field?: string;
  /** Without a value it means true. */
  readonly boolean?: boolean;
  /** Taken and passed over: the Go kubelet's own affair. */
  readonly ignored?: boolean;
}

/** The flags by the names that people know (v1.20 `cmd/kubelet/app/options`), and six of our own at the end. */
export const flagTable: Readonly<Record<string, FlagFacts>> = {
  config: { summary: 'KubeletConfiguration file' },
  kubeconfig: { summary: 'how to reach the API server; without it static pods alone are run' },
  'bootstrap-kubeconfig': { summary: 'credentials to ask for a client certificate with, where kubeconfig is absent' },
  'cert-dir': { summary: "folder of the kubelet's own certificates" },
  'hostname-override': { summary: 'name of the node' },
  'node-ip': { summary: 'address of the node' },
  'node-labels': { summary: 'labels to register with, name=value,…' },
  'register-with-taints': { summary: 'taints to register with, key=value:Effect,…' },
  'root-dir': { summary: "folder of the pods' files" },
  'docker-endpoint': { summary: "the engine's socket, unix:///var/run/docker.sock" },
  'pod-infra-container-image': { summary: 'the pause image' },
  'pod-manifest-path': { summary: 'folder of static pods', field: 'staticPodPath' },
  'register-node': { summary: 'create the Node object', field: 'registerNode', boolean: true },
  'enable-server': { summary: 'serve the API on --port', field: 'enableServer', boolean: true },
  address: { summary: 'address to serve on', field: 'address' },
  port: { summary: 'port to serve on', field: 'port' },
  'read-only-port': { summary: 'port to serve on without credentials; 0: none', field: 'readOnlyPort' },
  'healthz-bind-address': { summary: 'address of /healthz', field: 'healthzBindAddress' },
  'healthz-port': { summary: 'port of /healthz; 0: none', field: 'healthzPort' },
  'anonymous-auth': { summary: 'serve anonymous requests', field: 'authentication.anonymous.enabled', boolean: true },
  'authentication-token-webhook': {
    summary: 'let the API server review bearer tokens',
    field: 'authentication.webhook.enabled',
    boolean: true,
  },
  'authorization-mode': { summary: 'AlwaysAllow or Webhook', field: 'authorization.mode' },
  'client-ca-file': { summary: 'authority of client certificates', field: 'authentication.x509.clientCAFile' },
  'tls-cert-file': { summary: 'serving certificate', field: 'tlsCertFile' },
  'tls-private-key-file': { summary: 'its key', field: 'tlsPrivateKeyFile' },
  'tls-min-version': { summary: 'VersionTLS12 or VersionTLS13', field: 'tlsMinVersion' },
  'rotate-certificates': { summary: 'renew the client certificate', field: 'rotateCertificates', boolean: true },
  'rotate-server-certificates': {
    summary: 'ask for the serving certificate',
    field: 'serverTLSBootstrap',
    boolean: true,
  },
  'cluster-dns': { summary: "pods' name servers", field: 'clusterDNS' },
  'cluster-domain': { summary: "the cluster's domain", field: 'clusterDomain' },
  'resolv-conf': { summary: "the resolver file that pods' own are made from", field: 'resolvConf' },
  'cgroup-driver': { summary: "cgroupfs or systemd; the engine's where absent", field: 'cgroupDriver' },
  'cgroup-root': { summary: "parent of the pods' cgroups", field: 'cgroupRoot' },
  'cgroups-per-qos': { summary: 'cgroups by QoS class', field: 'cgroupsPerQOS', boolean: true },
  'max-pods': { summary: 'how many pods', field: 'maxPods' },
  'pod-max-pids': { summary: 'processes a pod; -1: no limit', field: 'podPidsLimit' },
  'pod-cidr': { summary: 'addresses of pods', field: 'podCIDR' },
  'eviction-hard': { summary: 'memory.available<100Mi,…', field: 'evictionHard' },
  'eviction-soft': { summary: 'as eviction-hard, with a grace', field: 'evictionSoft' },
  'eviction-soft-grace-period': { summary: 'memory.available=90s,…', field: 'evictionSoftGracePeriod' },
  'eviction-max-pod-grace-period': { summary: 'seconds', field: 'evictionMaxPodGracePeriod' },
  'eviction-pressure-transition-period': { summary: 'duration', field: 'evictionPressureTransitionPeriod' },
  'image-gc-high-threshold': { summary: 'percent of the disk', field: 'imageGCHighThresholdPercent' },
  'image-gc-low-threshold': { summary: 'percent of the disk', field: 'imageGCLowThresholdPercent' },
  'minimum-image-ttl-duration': { summary: 'duration', field: 'imageMinimumGCAge' },
  'container-log-max-size': { summary: 'such as 10Mi', field: 'containerLogMaxSize' },
  'container-log-max-files': { summary: 'a number', field: 'containerLogMaxFiles' },
  'kube-reserved': { summary: 'cpu=200m,memory=150Mi', field: 'kubeReserved' },
  'system-reserved': { summary: 'cpu=200m,memory=150Mi', field: 'systemReserved' },
  'allowed-unsafe-sysctls': { summary: 'patterns', field: 'allowedUnsafeSysctls' },
  'seccomp-default': { summary: 'RuntimeDefault where a pod says nothing', field: 'seccompDefault', boolean: true },
  'file-check-frequency': { summary: 'duration', field: 'fileCheckFrequency' },
  'node-status-update-frequency': { summary: 'duration', field: 'nodeStatusUpdateFrequency' },
  'streaming-connection-idle-timeout': { summary: 'duration', field: 'streamingConnectionIdleTimeout' },
  'serialize-image-pulls': { summary: 'pull one image at a time', field: 'serializeImagePulls', boolean: true },
  'container-runtime': { summary: 'passed over', ignored: true },
  'container-runtime-endpoint': { summary: 'passed over', ignored: true },
  'network-plugin': { summary: 'passed over', ignored: true },
  'fail-swap-on': { summary: 'passed over', ignored: true, boolean: true },
  'feature-gates': { summary: 'passed over', ignored: true },
  v: { summary: 'passed over', ignored: true },
  logtostderr: { summary: 'passed over', ignored: true, boolean: true },
  instance: { summary: "tells two kubelets on one engine apart; the node's name where absent" },
  'kubelet-version': { summary: 'the version that the node reports' },
  'host-root': { summary: "where the host's root folder is seen; found where absent" },
  'pod-log-dir': { summary: "folder of the pods' logs" },
  'pod-network': {
    summary: 'auto, or engine: leave it to the engine to connect each pod to its bridge, which costs it more',
  },
  'service-route': {
    summary: 'RANGE,INTERFACE,ADDRESS: a route to Service addresses, added where the machine has lost it',
  },
};

/**
 * Flags as the Go kubelet takes them: `--name=value`, `--name value`, one dash or two, booleans without a value. The last
 * one wins. Throws `Usage` naming every one that nobody knows.
 */
export function parseKubeletFlags(argv: readonly string[]): Readonly<Record<string, FlagValue>> {
  const flags: Record<string, FlagValue> = {};
  const faults: string[] = [];
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const match = /^--?([a-zA-Z0-9][\w-]*)(?:=([\s\S]*))?$/.exec(argument);
    const name = match?.[1]?.replaceAll('_', '-') ?? '';
    const facts = Object.hasOwn(flagTable, name) ? flagTable[name] : undefined;
    if (!facts) {
      faults.push(match ? `--${name}: no such flag` : `${argument}: not a flag`);
      continue;
    }
    const value = match?.[2] ?? (facts.boolean ? 'true' : rest.shift());
    if (value === undefined) faults.push(`--${name}: needs a value`);
    else if (!facts.ignored) flags[name] = value;
  }
  if (faults.length > 0) throw new HyperupError('Usage', `read the kubelet's flags: ${faults.join('; ')}`);
  return flags;
}
