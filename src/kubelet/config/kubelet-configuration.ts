import { HyperupError } from '../../base/errors.js';
import { parseQuantity } from '../pod/quantity.js';
import { parseDuration } from './duration.js';

type NamedKind =
  | 'string'
  | 'number'
  | 'boolean'
  | 'duration'
  | 'strings'
  | 'durationMap'
  | 'quantity'
  | 'quantityMap'
  | 'thresholdMap'
  | 'taints';

/** What kind of value a field takes: one of these, or one of the texts listed. */
export type ValueKind = NamedKind | readonly string[];

/**
 * The fields of KubeletConfiguration v1beta1 that are read, by their path (v1.20 `staging/src/k8s.io/kubelet/config/v1beta1`,
 * newer ones included). The value is what kind of text or number stands there.
 */
export const configurationFields: Readonly<Record<string, ValueKind>> = {
  address: 'string',
  allowedUnsafeSysctls: 'strings',
  'authentication.anonymous.enabled': 'boolean',
  'authentication.webhook.cacheTTL': 'duration',
  'authentication.webhook.enabled': 'boolean',
  'authentication.x509.clientCAFile': 'string',
  'authorization.mode': ['AlwaysAllow', 'Webhook'],
  'authorization.webhook.cacheAuthorizedTTL': 'duration',
  'authorization.webhook.cacheUnauthorizedTTL': 'duration',
  cgroupDriver: ['cgroupfs', 'systemd'],
  cgroupRoot: 'string',
  cgroupsPerQOS: 'boolean',
  clusterDNS: 'strings',
  clusterDomain: 'string',
  containerLogMaxFiles: 'number',
  containerLogMaxSize: 'quantity',
  enableDebuggingHandlers: 'boolean',
  enableServer: 'boolean',
  evictionHard: 'thresholdMap',
  evictionMaxPodGracePeriod: 'number',
  evictionPressureTransitionPeriod: 'duration',
  evictionSoft: 'thresholdMap',
  evictionSoftGracePeriod: 'durationMap',
  fileCheckFrequency: 'duration',
  healthzBindAddress: 'string',
  healthzPort: 'number',
  imageGCHighThresholdPercent: 'number',
  imageGCLowThresholdPercent: 'number',
  imageMinimumGCAge: 'duration',
  kubeReserved: 'quantityMap',
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
  systemReserved: 'quantityMap',
  tlsCertFile: 'string',
  tlsMinVersion: ['VersionTLS10', 'VersionTLS11', 'VersionTLS12', 'VersionTLS13'],
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

/** Numbers of which 0 means "as if it weren't there", as v1beta1 has it; so do durations of 0 and empty texts, all of them. */
const zeroMeansDefault: readonly string[] = ['maxPods', 'nodeLeaseDurationSeconds', 'port'];

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
    const kind = Object.hasOwn(configurationFields, path) ? configurationFields[path] : undefined;
    if (value === null || value === undefined || (prefix === '' && ignoredFields.includes(name))) continue;
    if (kind) {
      const read = readValue(value, kind);
      if (read === undefined) faults.push(`${path}: got ${JSON.stringify(value)}, want ${kindText(kind)}`);
      else if (!isUnset(path, kind, read)) values.set(path, read);
    } else if (isRecord(value) && Object.keys(configurationFields).some((known) => known.startsWith(`${path}.`))) {
      walk(value, `${path}.`, values, faults);
    } else faults.push(`${path}: no such field`);
  }
}

/** Files that tools write name every field, with zeros for what they leave to the kubelet. */
function isUnset(path: string, kind: ValueKind, value: unknown): boolean {
  return value === '' || (value === 0 && (kind === 'duration' || zeroMeansDefault.includes(path)));
}

const kindTexts: Readonly<Record<NamedKind, string>> = {
  string: 'a text',
  number: 'a whole number',
  boolean: 'true or false',
  duration: 'a duration such as 10s',
  strings: 'a list of texts',
  durationMap: 'a map of durations such as 10s',
  quantity: 'a quantity such as 10Mi',
  quantityMap: 'a map of quantities such as 100Mi',
  thresholdMap: 'a map of quantities such as 100Mi, or shares such as 10%',
  taints: 'a list of taints',
};

/** What a value of that kind looks like, for messages. */
export function kindText(kind: ValueKind): string {
  return typeof kind === 'string' ? kindTexts[kind] : kind.join(' or ');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value in our terms; undefined where it is not of that kind. */
export function readValue(value: unknown, kind: ValueKind): unknown {
  if (typeof kind !== 'string') return value === '' || kind.some((known) => known === value) ? value : undefined;
  switch (kind) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'number':
      return Number.isSafeInteger(value) ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'duration':
      return durationOf(value);
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
    case 'durationMap':
      return mapOf(value, durationOf);
    case 'quantity':
      return value === '' ? value : quantityOf(value);
    case 'quantityMap':
      return mapOf(value, quantityOf);
    case 'thresholdMap':
      return mapOf(value, (item) => (/^\d+(\.\d+)?%$/.test(String(item)) ? item : quantityOf(item)));
    case 'taints':
      return Array.isArray(value) && value.every((item) => isRecord(item) && typeof item['key'] === 'string')
        ? value
        : undefined;
  }
}

function mapOf(value: unknown, read: (item: unknown) => unknown): Record<string, unknown> | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value).map(([name, item]) => [name, read(item)] as const);
  return entries.some(([, item]) => item === undefined) ? undefined : Object.fromEntries(entries);
}

/** Milliseconds; none of ours may be negative. */
function durationOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    const ms = parseDuration(value);
    return ms < 0 ? undefined : ms;
  } catch {
    return undefined;
  }
}

/** The text itself. */
function quantityOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    return parseQuantity(value) < 0 ? undefined : value;
  } catch {
    return undefined;
  }
}
