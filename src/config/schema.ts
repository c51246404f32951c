import { isIP, isIPv4 } from 'node:net';
import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { type Cidr, formatCidr, parseCidr } from '../base/cidr.js';
import type { InstallOptions } from './types.js';

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Folders that others share; hyperup wants one of its own beside or below them. */
const sharedFolders = new Set(
  [
    '/',
    '/bin',
    '/boot',
    '/dev',
    '/etc',
    '/home',
    '/lib',
    '/mnt',
    '/opt',
    '/proc',
    '/root',
    '/run',
    '/sbin',
    '/srv',
  ].concat([
    '/sys',
    '/tmp',
    '/usr',
    '/usr/local',
    '/var',
    '/var/cache',
    '/var/lib',
    '/var/lib/docker',
    '/var/log',
    '/var/run',
  ]),
);

/** RFC 1123: labels of a-z, 0-9 and -, up to 253 characters in all. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split('.').every((part) => label.test(part));
}

/** The IPv4 range that the text names, host bits cleared; undefined where it names none. */
export function readIpv4Range(text: string): Cidr | undefined {
  try {
    const range = parseCidr(text);
    return range.family === 4 ? range : undefined;
  } catch {
    return undefined;
  }
}

/** True for an IPv4 network whose prefix lies in the bounds and whose host bits are clear. */
export function isIpv4Network(text: string, shortest: number, longest: number): boolean {
  const range = readIpv4Range(text);
  if (range === undefined || range.prefixLength < shortest || range.prefixLength > longest) return false;
  return formatCidr(range) === text;
}

/** `30000-32767` as two ports, or undefined. */
export function parsePortRange(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const [low, high] = [Number(match?.[1]), Number(match?.[2])];
  return match !== null && low >= 1 && low <= high && high <= 65_535 ? [low, high] : undefined;
}

/** The forms of DOCKER_HOST that a cluster on this machine can use; `ssh://` and `npipe://` name another machine. */
export function isEngineHost(text: string): boolean {
  if (text.startsWith('unix://')) return isAbsolute(text.slice('unix://'.length));
  if (text.startsWith('/')) return true;
  return /^(tcp|https?):\/\/([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?\/?$/.test(text);
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

const port = z.number().int().min(1).max(65_535);
const text = (accepts: (value: string) => boolean) => z.string().refine(accepts);
const optionalText = (accepts: (value: string) => boolean) =>
  z.custom<string | undefined>((value) => value === undefined || (typeof value === 'string' && accepts(value)));
const folder = text((path) => isAbsolute(path) && !sharedFolders.has(path));
const duration = z.number().int().min(1000).max(86_400_000);

/** What a valid `InstallOptions` looks like, leaf by leaf; relations between leaves are in `relations.ts`. */
export const installOptionsSchema = z.strictObject({
  cluster: z.strictObject({
    name: text((name) => name.length <= 40 && label.test(name)),
    kubernetesVersion: text((version) => /^v\d+\.\d+\.\d+$/.test(version)),
    kubelet: z.enum(['auto', 'hyperkube', 'builtin']),
    dns: z.enum(['auto', 'coredns', 'builtin', 'none']),
    nodeName: text(isDnsName),
    nodeAddress: text((address) => isIPv4(address) && address !== '0.0.0.0'),
    apiPort: port,
    serviceCidr: text((cidr) => isIpv4Network(cidr, 12, 29)),
    podCidr: optionalText((cidr) => isIpv4Network(cidr, 8, 28)),
    clusterDomain: text(isDnsName),
    nodePortRange: text((range) => parsePortRange(range) !== undefined),
    extraSans: z.array(text((san) => isIP(san) !== 0 || isDnsName(san.replace(/^\*\./, '')))),
    paths: z.strictObject({
      configDir: folder,
      stateDir: folder,
      etcdDir: folder,
      kubeletDir: folder,
      podLogDir: folder,
    }),
    ports: z.strictObject({
      api: port,
      etcdClient: port,
      etcdPeer: port,
      controllerManager: port,
      scheduler: port,
      kubelet: port,
      kubeletHealth: port,
      proxyHealth: port,
      proxyMetrics: port,
    }),
  }),
  images: z.strictObject({
    mirrors: z.array(text((mirror) => mirror !== '')),
    lock: optionalText(isAbsolute),
    bundle: optionalText(isAbsolute),
    build: z.boolean(),
    cacheDir: text(isAbsolute),
    stallMs: duration,
    debianMirror: optionalText(isHttpUrl),
  }),
  engineHost: optionalText(isEngineHost),
  engineInstall: z.boolean(),
  skipPreflight: z.array(text((id) => /^[A-Za-z0-9][A-Za-z0-9-]*$/.test(id))),
  kubeconfigPath: text(isAbsolute),
  keepOnFailure: z.boolean(),
  dryRun: z.boolean(),
  timeoutMs: duration,
}) satisfies z.ZodType<InstallOptions>;
