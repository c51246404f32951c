import type { V1Service } from '../../kube/objects.js';

const masterNamespace = 'default';
const masterName = 'kubernetes';

/**
 * The variables that name Services to a pod of that namespace: those of `default/kubernetes` always, those of its own
 * namespace where it wants them. Services without a cluster address have none (v1.20 `pkg/kubelet/envvars/envvars.go`,
 * `getServiceEnvVarMap`).
 */
export function serviceEnvironment(
  services: readonly V1Service[],
  namespace: string,
  enableServiceLinks: boolean,
): Map<string, string> {
  const chosen = new Map<string, V1Service>();
  for (const service of services) {
    const name = service.metadata?.name ?? '';
    const address = service.spec?.clusterIP ?? '';
    if (address === '' || address === 'None') continue;
    // One called `kubernetes` in the pod's own namespace wins.
    if (service.metadata?.namespace === namespace && enableServiceLinks) chosen.set(name, service);
    else if (service.metadata?.namespace === masterNamespace && name === masterName && !chosen.has(name)) {
      chosen.set(name, service);
    }
  }
  const variables = new Map<string, string>();
  for (const name of [...chosen.keys()].sort()) addVariables(variables, chosen.get(name));
  return variables;
}

function addVariables(variables: Map<string, string>, service: V1Service | undefined): void {
  const prefix = variableName(service?.metadata?.name ?? '');
  const address = service?.spec?.clusterIP ?? '';
  const ports = service?.spec?.ports ?? [];
  const [first] = ports;
  variables.set(`${prefix}_SERVICE_HOST`, address);
  if (!first) return;
  variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const { name = '', port } of ports) {
    if (name !== '') variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  }
  for (const { port, protocol = 'TCP' } of ports) {
    const scheme = protocol.toLowerCase();
    const url = `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
    const portPrefix = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    // Of the first port, as Docker's links had it.
    if (!variables.has(`${prefix}_PORT`)) variables.set(`${prefix}_PORT`, url);
    variables.set(portPrefix, url);
    variables.set(`${portPrefix}_PROTO`, scheme);
    variables.set(`${portPrefix}_PORT`, String(port));
    variables.set(`${portPrefix}_ADDR`, address);
  }
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}
