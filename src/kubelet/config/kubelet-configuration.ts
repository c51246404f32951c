import { HyperupError } from '../../base/errors.js';
import { parseDuration } from './duration.js';

type Kind = 'string' | 'number' | 'boolean' | 'duration' | 'strings' | 'stringMap' | 'object' | 'taints';

/**
 * The fields of KubeletConfiguration v1beta1 that are read, by their path (v1.20 `staging/src/k8s.io/kubelet/config/v1beta1`,
 * newer ones included). The value is what kind of text or number stands there.
 */
export const configurationFields: Readonly<Record<string, Kind>> = {
  address: 'string',
  allowedUnsafeSysctls: 'strings',
  'authentication.anonymous.enabled': 'boolean',
  'authentication.webhook.cacheTTL': 'duration',
  'authentication.webhook.enabled': 'boolean',
  'authentication.x509.clientCAFile': 'string',
  'authorization.mode': 'string',
  'authorization.webhook.cacheAuthorizedTTL': 'duration',
  'authorization.webhook.cacheUnauthorizedTTL': 'duration',
  cgroupDriver: 'string',
  cgroupRoot: 'string',
  cgroupsPerQOS: 'boolean',
  clusterDNS: 'strings',
  clusterDomain: 'string',
  containerLogMaxFiles: 'number',
  containerLogMaxSize: 'string',
  enableDebuggingHandlers: 'boolean',
  enableServer: 'boolean',
  evictionHard: 'stringMap',
  evictionMaxPodGracePeriod: 'number',
  evictionPressureTransitionPeriod: 'duration',
  evictionSoft: 'stringMap',
  evictionSoftGracePeriod: 'stringMap',
  fileCheckFrequency: 'duration',
  healthzBindAddress: 'string',
  healthzPort: 'number',
  imageGCHighThresholdPercent: 'number',
  imageGCLowThresholdPercent: 'number',
  imageMinimumGCAge: 'duration',
  kubeReserved: 'stringMap',
  maxParallelImagePulls: 'number',
  maxPods: 'number',
  nodeLeaseDurationSeconds: 'number',
  nodeStatusMaxImages: 'number',
  nodeStatusReportFrequency: 'duration',
  nodeStatusUpdateFrequency: 'duration',
  podCIDR: 'string',
  podPidsLimit: 'number',
  port: 'number',
  readOnlyPort: 'number',
  registerNode: 'boolean',
  registerWithTaints: 'taints',
  resolvConf: 'string',
  rotateCertificates: 'boolean',
  seccompDefault: 'boolean',
  serializeImagePulls: 'boolean',
  serverTLSBootstrap: 'boolean',
  staticPodPath: 'string',
  streamingConnectionIdleTimeout: 'duration',
  systemReserved: 'stringMap',
  tlsCertFile: 'string',
  tlsMinVersion: 'string',
  tlsPrivateKeyFile: 'string',
};

/** Fields that are the Go kubelet's own affair: taken without a word, since the files that people have contain them. */
const ignoredFields: readonly string[] = [
  'configMapAndSecretChangeDetectionStrategy',
  'containerLogMaxWorkers',
  'containerLogMonitorInterval',
  'containerRuntimeEndpoint',
  'contentType',
  'cpuCFSQuota',
  'cpuCFSQuotaPeriod',
  'cpuManagerPolicy',
  'cpuManagerReconcilePeriod',
  'crashLoopBackOff',
  'enableContentionProfiling',
  'enableControllerAttachDetach',
  'enableProfilingHandler',
  'enableSystemLogHandler',
  'enableSystemLogQuery',
  'enforceNodeAllocatable',
  'eventBurst',
  'eventRecordQPS',
  'evictionMinimumReclaim',
  'failCgroupV1',
  'failSwapOn',
  'featureGates',
  'hairpinMode',
  'httpCheckFrequency',
  'imageMaximumGCAge',
  'imageServiceEndpoint',
  'iptablesDropBit',
  'iptablesMasqueradeBit',
  'kernelMemcgNotification',
  'kubeAPIBurst',
  'kubeAPIQPS',
  'kubeletCgroups',
  'localStorageCapacityIsolation',
  'logging',
  'makeIPTablesUtilChains',
  'maxOpenFiles',
  'memoryManagerPolicy',
  'memorySwap',
  'memoryThrottlingFactor',
  'oomScoreAdj',
  'podsPerCore',
  'protectKernelDefaults',
  'providerID',
  'qosReserved',
  'registryBurst',
  'registryPullQPS',
  'reservedMemory',
  'reservedSystemCPUs',
  'runOnce',
  'runtimeRequestTimeout',
  'shutdownGracePeriod',
  'shutdownGracePeriodByPodPriority',
  'shutdownGracePeriodCriticalPods',
  'showHiddenMetricsForVersion',
  'singleProcessOOMKill',
  'staticPodURL',
  'staticPodURLHeader',
  'syncFrequency',
  'systemCgroups',
  'systemReservedCgroup',
  'kubeReservedCgroup',
  'tlsCipherSuites',
  'topologyManagerPolicy',
  'topologyManagerPolicyOptions',
  'topologyManagerScope',
  'tracing',
  'userNamespaces',
  'volumePluginDir',
  'volumeStatsAggPeriod',
];

/** The values of a configuration file by path, durations as milliseconds. */
export type ConfigurationValues = ReadonlyMap<string, unknown>;

/**
 * Reads a KubeletConfiguration that was parsed already. Every fault of it is named at once: a field that nobody knows,
 * a value of another kind. Throws `InvalidConfig`.
 */
export function readConfiguration(parsed: unknown, origin: string): ConfigurationValues {
  const faults: string[] = [];
  const values = new Map<string, unknown>();
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new HyperupError('InvalidConfig', `read ${origin}: want a KubeletConfiguration`);
  }
  const { apiVersion, kind, ...fields } = parsed as Record<string, unknown>;
  if (kind !== 'KubeletConfiguration' || apiVersion !== 'kubelet.config.k8s.io/v1beta1') {
    faults.push(`got ${String(apiVersion)} ${String(kind)}, want kubelet.config.k8s.io/v1beta1 KubeletConfiguration`);
  }
  walk(fields, '', values, faults);
  if (faults.length > 0) {
    throw new HyperupError('InvalidConfig', `read ${origin}: ${faults.join('; ')}`, { details: { faults } });
  }
  return values;
}

function walk(fields: Record<string, unknown>, prefix: string, values: Map<string, unknown>, faults: string[]): void {
  for (const [name, value] of Object.entries(fields)) {
    const path = `${prefix}${name}`;
    const kind = configurationFields[path];
    if (value === null || value === undefined || (prefix === '' && ignoredFields.includes(name))) continue;
    if (kind) {
      const read = readValue(value, kind);
      if (read === undefined) faults.push(`${path}: got ${JSON.stringify(value)}, want ${kindText[kind]}`);
      else values.set(path, read);
    } else if (isRecord(value) && Object.keys(configurationFields).some((known) => known.startsWith(`${path}.`))) {
      walk(value, `${path}.`, values, faults);
    } else faults.push(`${path}: no such field`);
  }
}

const kindText: Readonly<Record<Kind, string>> = {
  string: 'a text',
  number: 'a whole number',
  boolean: 'true or false',
  duration: 'a duration such as 10s',
  strings: 'a list of texts',
  stringMap: 'a map of texts',
  object: 'a map',
  taints: 'a list of taints',
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value in our terms; undefined where it is not of that kind. */
export function readValue(value: unknown, kind: Kind): unknown {
  switch (kind) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'number':
      return Number.isSafeInteger(value) ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'duration':
      return typeof value === 'string' ? durationOf(value) : undefined;
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
    case 'stringMap':
      return isRecord(value) && Object.values(value).every((item) => typeof item === 'string') ? value : undefined;
    case 'object':
      return isRecord(value) ? value : undefined;
    case 'taints':
      return Array.isArray(value) && value.every((item) => isRecord(item) && typeof item['key'] === 'string')
        ? value
        : undefined;
  }
}

function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}
