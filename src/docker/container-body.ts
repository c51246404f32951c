import type { ContainerSpec } from './types.js';

/**
 * The body of `POST /containers/create` for a spec: pure. Mounts rather than binds, since a bind whose source is absent
 * makes Docker create that folder unasked.
 */
export function toContainerBody(spec: ContainerSpec): object {
  return {
    Image: spec.image,
    Cmd: spec.command,
    Entrypoint: spec.entrypoint,
    Env: spec.env ? Object.entries(spec.env).map(([key, value]) => `${key}=${value}`) : undefined,
    Labels: spec.labels,
    WorkingDir: spec.workingDir,
    User: spec.user,
    ExposedPorts: spec.ports && Object.fromEntries(spec.ports.map((port) => [`${port.containerPort}/tcp`, {}])),
    HostConfig: hostConfig(spec),
  };
}

function hostConfig(spec: ContainerSpec): object {
  return {
    Mounts: (spec.mounts ?? []).map((mount) => ({
      Type: 'bind',
      Source: mount.source,
      Target: mount.target,
      ReadOnly: mount.readOnly ?? false,
      // Left to the engine where nothing is asked: of `/`, which holds its own folder, it shares what it must.
      ...(mount.propagation ? { BindOptions: { Propagation: mount.propagation } } : {}),
    })),
    Tmpfs: spec.tmpfs && Object.fromEntries(spec.tmpfs.map(tmpfsEntry)),
    NetworkMode: spec.networkMode,
    PidMode: spec.pidMode,
    IpcMode: spec.ipcMode,
    CgroupnsMode: spec.cgroupnsMode,
    Privileged: spec.privileged ?? false,
    RestartPolicy: { Name: spec.restart ?? 'no' },
    LogConfig: logConfig(spec),
    PortBindings: portBindings(spec),
  };
}

/** `/run` or, with options, `/run:size=64m,mode=755`, as `docker run --tmpfs` takes it. */
function tmpfsEntry(tmpfs: string): [path: string, options: string] {
  const colon = tmpfs.indexOf(':');
  return colon < 0 ? [tmpfs, ''] : [tmpfs.slice(0, colon), tmpfs.slice(colon + 1)];
}

/** The driver is named whenever a limit is, since the engine's own default may be one that can't be read back. */
function logConfig(spec: ContainerSpec): object | undefined {
  if (spec.logMaxSize === undefined && spec.logMaxFiles === undefined) return undefined;
  const config: Record<string, string> = {};
  if (spec.logMaxSize !== undefined) config['max-size'] = spec.logMaxSize;
  if (spec.logMaxFiles !== undefined) config['max-file'] = String(spec.logMaxFiles);
  return { Type: 'json-file', Config: config };
}

function portBindings(spec: ContainerSpec): object | undefined {
  if (!spec.ports) return undefined;
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of spec.ports) {
    const key = `${port.containerPort}/tcp`;
    bindings[key] = [...(bindings[key] ?? []), { HostIp: port.hostIp, HostPort: String(port.hostPort) }];
  }
  return bindings;
}
