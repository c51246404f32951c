import type { EngineInfo } from './types.js';

/** `GET /info`, as far as it is read. */
export interface WireInfo {
  readonly ServerVersion?: string;
  readonly OperatingSystem?: string;
  readonly OSType?: string;
  readonly Architecture?: string;
  readonly CgroupDriver?: string;
  readonly CgroupVersion?: string;
  readonly Driver?: string;
  readonly DriverStatus?: readonly (readonly string[])[] | null;
  readonly DockerRootDir?: string;
  readonly MemTotal?: number;
  readonly NCPU?: number;
  readonly HttpProxy?: string;
  readonly HttpsProxy?: string;
  readonly NoProxy?: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly LiveRestoreEnabled?: boolean;
  readonly Warnings?: readonly string[] | null;
  readonly RegistryConfig?: {
    readonly Mirrors?: readonly string[] | null;
    readonly InsecureRegistryCIDRs?: readonly string[] | null;
    readonly IndexConfigs?: Readonly<Record<string, { readonly Name?: string; readonly Secure?: boolean }>> | null;
  } | null;
}

/** `GET /version`, as far as it is read. */
export interface WireVersion {
  readonly Version?: string;
  readonly ApiVersion?: string;
  readonly MinAPIVersion?: string;
  /** As the engine names its processor. */
  readonly Arch?: string;
}

/** What of an engine's is fixed once connected. */
export interface EngineFacts {
  readonly endpoint: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly maxApiVersion: string;
}

/** The engine as hyperup sees it. Proxies are given without their passwords, as they end up in logs. */
export function toEngineInfo(facts: EngineFacts, info: WireInfo, { MinAPIVersion }: WireVersion): EngineInfo {
  const registries = info.RegistryConfig;
  const insecure = Object.entries(registries?.IndexConfigs ?? {}).filter(([, index]) => index.Secure === false);
  return {
    ...facts,
    minApiVersion: MinAPIVersion ?? facts.maxApiVersion,
    operatingSystem: info.OperatingSystem ?? '',
    architecture: info.Architecture ?? '',
    cgroupDriver: info.CgroupDriver === 'systemd' ? 'systemd' : info.CgroupDriver === 'none' ? 'none' : 'cgroupfs',
    cgroupVersion: info.CgroupVersion === '2' ? 2 : 1,
    storageDriver: info.Driver ?? '',
    rootDir: info.DockerRootDir ?? '',
    memoryBytes: info.MemTotal ?? 0,
    cpus: info.NCPU ?? 0,
    registryMirrors: registries?.Mirrors ?? [],
    insecureRegistries: [...(registries?.InsecureRegistryCIDRs ?? []), ...insecure.map(([name]) => name)],
    httpProxy: withoutPassword(info.HttpProxy),
    httpsProxy: withoutPassword(info.HttpsProxy),
    noProxy: info.NoProxy ?? '',
    rootless: (info.SecurityOptions ?? []).some((option) => /^name=rootless\b/.test(option)),
    liveRestore: info.LiveRestoreEnabled ?? false,
    warnings: info.Warnings ?? [],
  };
}

/**
 * The OCI platform that `save` must name: only for the containerd image store, which keeps an index of all platforms
 * with the content of one, and else fails with "content digest not found" (kubernetes-sigs/kind#3795).
 */
export function savePlatform(info: WireInfo, architecture: string): string | undefined {
  const containerd = (info.DriverStatus ?? []).some(
    ([key, value]) => key === 'driver-type' && value === 'io.containerd.snapshotter.v1',
  );
  return containerd ? JSON.stringify({ os: info.OSType ?? 'linux', architecture }) : undefined;
}

function withoutPassword(proxy: string | undefined): string {
  return (proxy ?? '').replace(/\/\/[^@/]*@/, '//***@');
}
