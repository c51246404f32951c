import { isIPv4 } from 'node:net';
import { HyperupError } from '../../base/errors.js';
import type { V1Taint } from '../../kube/node-objects.js';
import type { ServiceRoute } from '../network/service-route.js';
import { formatBytes, formatMillis, milliValue, parseQuantity } from '../pod/quantity.js';
import {
  type ConfigurationValues,
  configurationFields,
  kindText,
  readValue,
  type ValueKind,
} from './kubelet-configuration.js';
import { type FlagValue, flagTable } from './kubelet-flags.js';
import type { KubeletOptions } from './kubelet-options.js';

export interface KubeletInputs {
  /** By flag name without dashes. */
  readonly flags: Readonly<Record<string, FlagValue>>;
  readonly configuration: ConfigurationValues;
  /** The file as it was read, for /configz. */
  readonly parsed: Readonly<Record<string, unknown>>;
  readonly host: {
    readonly hostname: string;
    /** IPv4 first. */
    readonly defaultAddress: string | undefined;
    /** Where the host's root folder is seen; empty where it is this process's own. */
    readonly hostRoot: string;
  };
  /** The version to report where no flag says another. */
  readonly defaultVersion: string;
  readonly defaultPauseImage: string;
}

/** Flags over the file over upstream's defaults (v1.20 `pkg/kubelet/apis/config/v1beta1/defaults.go`). Throws `InvalidConfig`, `Usage`. */
export function resolveKubeletOptions(inputs: KubeletInputs): KubeletOptions {
  const values = withFlags(inputs);
  const get = <T>(path: string, fallback: T): T => (values.has(path) ? (values.get(path) as T) : fallback);
  const flag = (name: string): string | undefined => {
    const value = inputs.flags[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const nodeName = (flag('hostname-override') ?? inputs.host.hostname).trim().toLowerCase();
  const nodeIps = flag('node-ip')?.split(',') ?? (inputs.host.defaultAddress ? [inputs.host.defaultAddress] : []);
  if (nodeIps.length === 0) {
    throw new HyperupError('InvalidConfig', 'find the address of the node: this host has none but loopback', {
      hint: 'Name one with --node-ip.',
    });
  }
  const rootDir = flag('root-dir') ?? '/var/lib/kubelet';
  const standalone = flag('kubeconfig') === undefined;
  if (standalone && flag('bootstrap-kubeconfig') !== undefined) {
    throw new HyperupError('Usage', 'read --bootstrap-kubeconfig: it needs --kubeconfig, the file to be made');
  }
  const clientCaFile = get<string | undefined>('authentication.x509.clientCAFile', undefined);
  const healthPort = get<number>('healthzPort', 10_248);
  const softGraceMs = get<Record<string, number>>('evictionSoftGracePeriod', {});
  const ungraced = Object.keys(get<Record<string, string>>('evictionSoft', {})).filter(
    (name) => !(name in softGraceMs),
  );
  if (ungraced.length > 0) {
    throw new HyperupError('InvalidConfig', `read evictionSoft: no evictionSoftGracePeriod for ${ungraced.join(', ')}`);
  }
  const minTls = get<string>('tlsMinVersion', 'VersionTLS12');
  return {
    identity: {
      nodeName,
      nodeIps,
      instance: flag('instance') ?? nodeName,
      rootDir,
      podLogDir: flag('pod-log-dir') ?? '/var/log/pods',
      hostRoot: flag('host-root') ?? inputs.host.hostRoot,
    },
    kubeconfigPath: flag('kubeconfig'),
    bootstrapKubeconfigPath: flag('bootstrap-kubeconfig'),
    certDir: flag('cert-dir') ?? `${rootDir}/pki`,
    rotateCertificates: get('rotateCertificates', false),
    serverTlsBootstrap: get('serverTLSBootstrap', false),
    engineHost: flag('docker-endpoint'),
    pauseImage: flag('pod-infra-container-image') ?? inputs.defaultPauseImage,
    kubeletVersion: flag('kubelet-version') ?? inputs.defaultVersion,
    staticPods: staticPods(get<string | undefined>('staticPodPath', undefined), get('fileCheckFrequency', 0) || 20_000),
    server: {
      enabled: get('enableServer', true),
      address: get('address', '0.0.0.0'),
      port: get('port', 10250),
      readOnlyPort: get('readOnlyPort', 0),
      certFile: get<string | undefined>('tlsCertFile', undefined),
      keyFile: get<string | undefined>('tlsPrivateKeyFile', undefined),
      minTlsVersion: minTls === 'VersionTLS13' ? 'TLSv1.3' : 'TLSv1.2',
      clientCaFile,
      anonymous: get('authentication.anonymous.enabled', false),
      tokenReview: !standalone && get('authentication.webhook.enabled', true),
      tokenCacheMs: get('authentication.webhook.cacheTTL', 120_000),
      authorization: get<string>('authorization.mode', 'Webhook') === 'AlwaysAllow' ? 'AlwaysAllow' : 'Webhook',
      allowCacheMs: get('authorization.webhook.cacheAuthorizedTTL', 300_000),
      denyCacheMs: get('authorization.webhook.cacheUnauthorizedTTL', 30_000),
      streamIdleMs: get('streamingConnectionIdleTimeout', 14_400_000),
      debuggingHandlers: get('enableDebuggingHandlers', true),
    },
    health: healthPort === 0 ? undefined : { address: get('healthzBindAddress', '127.0.0.1'), port: healthPort },
    serviceRoute: parseRoute(flag('service-route')),
    podNetwork: parsePodNetwork(flag('pod-network')),
    dns: {
      servers: get<readonly string[]>('clusterDNS', []),
      domain: get('clusterDomain', 'cluster.local'),
      resolvConf: get('resolvConf', '/etc/resolv.conf'),
    },
    node: {
      register: get('registerNode', true),
      schedulable: true,
      labels: parsePairs(flag('node-labels') ?? '', 'node-labels'),
      taints: flag('register-with-taints')?.split(',').map(parseTaint) ?? get('registerWithTaints', []),
      statusUpdateMs: get('nodeStatusUpdateFrequency', 0) || 10_000,
      statusReportMs: get('nodeStatusReportFrequency', 300_000),
      leaseSeconds: get('nodeLeaseDurationSeconds', 0) || 40,
      maxImages: get('nodeStatusMaxImages', 50),
      podCidr: get<string | undefined>('podCIDR', undefined),
    },
    cgroups: {
      perQos: get('cgroupsPerQOS', true),
      root: get('cgroupRoot', ''),
      driver: get<'cgroupfs' | 'systemd' | undefined>('cgroupDriver', undefined),
    },
    maxPods: get('maxPods', 110),
    podPidsLimit: get('podPidsLimit', -1),
    eviction: {
      hard: get('evictionHard', {
        'memory.available': '100Mi',
        'nodefs.available': '10%',
        'nodefs.inodesFree': '5%',
        'imagefs.available': '15%',
      }),
      soft: get('evictionSoft', {}),
      softGraceMs,
      maxPodGraceSeconds: get('evictionMaxPodGracePeriod', 0),
      pressureTransitionMs: get('evictionPressureTransitionPeriod', 300_000),
      intervalMs: 10_000,
    },
    imageGc: {
      highPercent: get('imageGCHighThresholdPercent', 85),
      lowPercent: get('imageGCLowThresholdPercent', 80),
      minAgeMs: get('imageMinimumGCAge', 120_000),
    },
    maxParallelImagePulls: get('serializeImagePulls', false) ? 1 : get('maxParallelImagePulls', 5),
    containerLog: { maxSize: get('containerLogMaxSize', '10Mi'), maxFiles: get('containerLogMaxFiles', 5) },
    reserved: sumOf(get('kubeReserved', {}), get('systemReserved', {})),
    allowedUnsafeSysctls: get('allowedUnsafeSysctls', []),
    seccompDefault: get('seccompDefault', false),
    configuration: inputs.parsed,
  };
}

function staticPods(path: string | undefined, scanMs: number): KubeletOptions['staticPods'] {
  return path === undefined || path === '' ? undefined : { path, scanMs };
}

/** The file's values with those flags above them that are fields of it. */
function withFlags(inputs: KubeletInputs): Map<string, unknown> {
  const values = new Map(inputs.configuration);
  for (const [name, text] of Object.entries(inputs.flags)) {
    const path = flagTable[name]?.field;
    if (path === undefined) continue;
    const kind = configurationFields[path] ?? 'string';
    const read = readValue(typeof text === 'string' ? fromText(text, kind, name) : text, kind);
    if (read === undefined)
      throw new HyperupError('Usage', `read --${name}: got ${String(text)}, want ${kindText(kind)}`);
    values.set(path, read);
  }
  return values;
}

function fromText(text: string, kind: ValueKind, name: string): unknown {
  if (kind === 'number') return text.trim() === '' ? undefined : Number(text);
  if (kind === 'boolean')
    return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined;
  if (kind === 'strings') return text === '' ? [] : text.split(',');
  if (kind === 'thresholdMap') return parseThresholds(text, name);
  if (kind === 'quantityMap' || kind === 'durationMap') return parsePairs(text, name);
  return text;
}

/** `memory.available<100Mi,nodefs.available<10%`, as the eviction flags have it; empty for none. */
function parseThresholds(text: string, name: string): Record<string, string> {
  const thresholds: Record<string, string> = {};
  for (const part of text.split(',').filter((item) => item.trim() !== '')) {
    const [, signal, value] = /^\s*([^<\s]+)\s*<\s*(\S+)\s*$/.exec(part) ?? [];
    if (signal === undefined || value === undefined) {
      throw new HyperupError('Usage', `read --${name}: got ${part}, want such as memory.available<100Mi`);
    }
    thresholds[signal] = value;
  }
  return thresholds;
}

/** What is set aside for both, by resource. */
function sumOf(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): Record<string, string> {
  const sum: Record<string, string> = { ...a };
  for (const [name, text] of Object.entries(b)) {
    const before = a[name];
    if (before === undefined) sum[name] = text;
    else if (name === 'cpu') sum[name] = formatMillis(milliValue(before) + milliValue(text));
    else sum[name] = formatBytes(parseQuantity(before) + parseQuantity(text));
  }
  return sum;
}

function parsePairs(text: string, name: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const part of text.split(',').filter((item) => item !== '')) {
    const at = part.indexOf('=');
    if (at <= 0) throw new HyperupError('Usage', `read --${name}: got ${part}, want name=value`);
    pairs[part.slice(0, at)] = part.slice(at + 1);
  }
  return pairs;
}

/** `key=value:Effect` or `key:Effect`. */
function parseTaint(text: string): V1Taint {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  if (!match) {
    throw new HyperupError('Usage', `read --register-with-taints: got ${text}, want key=value:NoSchedule`);
  }
  return {
    key: match[1] ?? '',
    ...(match[2] === undefined || match[2] === '' ? {} : { value: match[2] }),
    effect: match[3] as V1Taint['effect'],
  };
}

function parsePodNetwork(text = 'auto'): KubeletOptions['podNetwork'] {
  if (text === 'auto' || text === 'engine') return text;
  throw new HyperupError('Usage', `read --pod-network: got "${text}", want auto or engine`);
}

function parseRoute(text: string | undefined): ServiceRoute | undefined {
  if (text === undefined) return undefined;
  const [destination = '', link = '', source = '', ...rest] = text.split(',');
  const isRange = isIPv4(destination.split('/')[0] ?? '') && /^[^/]+\/\d{1,2}$/.test(destination);
  if (isRange && /^[^\s/-][^\s/]{0,14}$/.test(link) && isIPv4(source) && rest.length === 0) {
    return { destination, link, source };
  }
  throw new HyperupError('Usage', `read --service-route: got "${text}", want RANGE,INTERFACE,ADDRESS`);
}
