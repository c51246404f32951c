import type { ContainerDetails, ContainerMount, ContainerSummary } from './types.js';

/** An element of `GET /containers/json`, as far as it is read. */
export interface WireContainer {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Image: string;
  readonly ImageID: string;
  readonly State: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Created: number;
}

/** `GET /containers/{id}/json`, as far as it is read. */
export interface WireContainerDetails {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args?: readonly string[] | null;
  readonly Image: string;
  readonly RestartCount?: number;
  readonly State: {
    readonly Status: string;
    readonly Pid?: number;
    readonly ExitCode?: number;
    readonly Error?: string;
    readonly OOMKilled?: boolean;
    readonly StartedAt?: string;
    readonly FinishedAt?: string;
  };
  readonly Config: {
    readonly Image: string;
    readonly Labels?: Readonly<Record<string, string>> | null;
    readonly Tty?: boolean;
  };
  readonly Mounts?: readonly WireMount[] | null;
}

interface WireMount {
  readonly Source: string;
  readonly Destination: string;
  readonly RW: boolean;
  readonly Propagation?: string;
}

/** A listed container as hyperup sees it. */
export function toContainerSummary(container: WireContainer): ContainerSummary {
  // Links of other containers are names with a second slash.
  const name = container.Names?.find((each) => each.lastIndexOf('/') === 0) ?? container.Names?.[0] ?? '';
  return {
    id: container.Id,
    name: name.replace(/^\//, ''),
    image: container.Image,
    imageId: container.ImageID,
    state: container.State as ContainerSummary['state'],
    labels: container.Labels ?? {},
    createdAt: new Date(container.Created * 1000).toISOString(),
  };
}

/** An inspected container as hyperup sees it. */
export function toContainerDetails(container: WireContainerDetails): ContainerDetails {
  const { State: state, Config: config } = container;
  return {
    id: container.Id,
    name: container.Name.replace(/^\//, ''),
    image: config.Image,
    imageId: container.Image,
    state: state.Status as ContainerSummary['state'],
    labels: config.Labels ?? {},
    createdAt: container.Created,
    pid: state.Pid ?? 0,
    exitCode: state.ExitCode ?? 0,
    error: state.Error ?? '',
    oomKilled: state.OOMKilled ?? false,
    startedAt: state.StartedAt ?? '',
    finishedAt: state.FinishedAt ?? '',
    restartCount: container.RestartCount ?? 0,
    command: [container.Path, ...(container.Args ?? [])],
    mounts: (container.Mounts ?? []).map(toMount),
  };
}

function toMount(mount: WireMount): ContainerMount {
  return {
    source: mount.Source,
    target: mount.Destination,
    readOnly: !mount.RW,
    ...(mount.Propagation ? { propagation: mount.Propagation as NonNullable<ContainerMount['propagation']> } : {}),
  };
}
