import { toContainerSummary, type WireContainer, type WireContainerDetails } from './container-wire.js';
import type { WireInfo } from './engine-info.js';
import { toImageSummary, type WireImage } from './image-wire.js';
import type { ContainerInspection, ContainerListing, EngineImage, RuntimeInfo } from './runtime-types.js';

/** `GET /containers/{id}/json`, as far as a kubelet reads it. */
export interface WireInspection extends WireContainerDetails {
  readonly LogPath?: string;
  readonly ResolvConfPath?: string;
  readonly HostConfig?: { readonly NetworkMode?: string } | null;
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, WireEndpoint | null>> | null } | null;
  readonly Config: WireContainerDetails['Config'] & { readonly OpenStdin?: boolean; readonly StdinOnce?: boolean };
}

interface WireEndpoint {
  readonly IPAddress?: string;
  readonly GlobalIPv6Address?: string;
}

/** An inspected container as a kubelet sees it. */
export function toInspection(wire: WireInspection): ContainerInspection {
  const { State: state, Config: config } = wire;
  return {
    id: wire.Id,
    name: wire.Name.replace(/^\//, ''),
    imageId: wire.Image,
    imageName: config.Image,
    labels: config.Labels ?? {},
    status: state.Status as ContainerInspection['status'],
    pid: state.Pid ?? 0,
    exitCode: state.ExitCode ?? 0,
    error: state.Error ?? '',
    oomKilled: state.OOMKilled ?? false,
    createdAtMs: toMs(wire.Created),
    startedAtMs: toMs(state.StartedAt),
    finishedAtMs: toMs(state.FinishedAt),
    logPath: wire.LogPath ?? '',
    resolvConfPath: wire.ResolvConfPath ?? '',
    networkMode: wire.HostConfig?.NetworkMode ?? '',
    ips: addressesOf(wire),
    tty: config.Tty ?? false,
    openStdin: config.OpenStdin ?? false,
    stdinOnce: config.StdinOnce ?? false,
  };
}

/** Go's zero time, the year 1, and what isn't there count as never. */
function toMs(time: string | undefined): number {
  return Math.max(0, Date.parse(time ?? '') || 0);
}

/** By its networks: the addresses beside them are gone from API 1.52 on. */
function addressesOf(wire: WireInspection): readonly string[] {
  const endpoints = Object.values(wire.NetworkSettings?.Networks ?? {});
  const all = [
    ...endpoints.map((endpoint) => endpoint?.IPAddress),
    ...endpoints.map((endpoint) => endpoint?.GlobalIPv6Address),
  ];
  return all.filter((address) => address !== undefined && address !== '') as string[];
}

/** A listed container as a kubelet sees it. The list's times are whole seconds. */
export function toListing(wire: WireContainer): ContainerListing {
  const { id, name, imageId, state, labels } = toContainerSummary(wire);
  return { id, name, imageId, state, labels, createdAtMs: wire.Created * 1000 };
}

/** `GET /images/{name}/json` or, with its time in seconds and without a configuration, an element of `GET /images/json`. */
export type WireEngineImage = Omit<WireImage, 'Created' | 'Config'> & {
  readonly Created?: string | number;
  readonly Config?: { readonly User?: string } | null;
};

/** An image as a kubelet sees it. */
export function toEngineImage({ Created: created, Config: config, ...wire }: WireEngineImage): EngineImage {
  const { id, tags, digests, sizeBytes } = toImageSummary(wire);
  return {
    id,
    tags,
    digests,
    sizeBytes,
    user: config?.User ?? '',
    createdAtMs: typeof created === 'number' ? created * 1000 : toMs(created),
  };
}

/** `GET /info`, as far as a kubelet reads it. */
export interface WireRuntimeInfo extends WireInfo {
  readonly LoggingDriver?: string;
  readonly KernelVersion?: string;
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly DefaultRuntime?: string;
}

/** The engine's facts as a kubelet sees them. */
export function toRuntimeInfo(wire: WireRuntimeInfo): RuntimeInfo {
  const driver = wire.CgroupDriver;
  return {
    version: wire.ServerVersion ?? '',
    cgroupDriver: driver === 'systemd' || driver === 'none' ? driver : 'cgroupfs',
    cgroupVersion: wire.CgroupVersion === '2' ? 2 : 1,
    rootDir: wire.DockerRootDir ?? '',
    logDriver: wire.LoggingDriver ?? '',
    operatingSystem: wire.OperatingSystem ?? '',
    kernelVersion: wire.KernelVersion ?? '',
    memoryBytes: wire.MemTotal ?? 0,
    cpus: wire.NCPU ?? 0,
    runtimes: Object.keys(wire.Runtimes ?? {}),
    defaultRuntime: wire.DefaultRuntime ?? '',
  };
}
