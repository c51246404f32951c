import { formatDuration } from '../base/bytes.js';
import type { ClusterStatus, ComponentStatus } from '../provision/types.js';
import { type Paint, painter } from './paint.js';
import { textTable } from './text-table.js';

const stateColors = { up: 'green', down: 'red', unknown: 'yellow' } as const;

/** A cluster's state for people: a line on the whole, a table of components, the last log lines of those that are down. */
export function statusText(status: ClusterStatus, color = false): string {
  const paint = painter(color);
  if (!status.installed) return 'No cluster is installed. Run "hyperup install" to make one.';
  const facts = [`Kubernetes ${status.kubernetesVersion}`, status.server, `${status.kubelet} kubelet`];
  if (status.certificatesExpire !== undefined)
    facts.push(`certificates until ${status.certificatesExpire.slice(0, 10)}`);
  const verdict = status.healthy ? paint('green', 'healthy') : paint('red', 'not healthy');
  const table = textTable(
    ['COMPONENT', 'STATE', 'VERSION', 'PID', 'PORTS', 'RESTARTS', 'AGE', 'MESSAGE'],
    status.components.map((component) => componentRow(component, paint)),
  );
  const logs = status.components.filter((component) => component.state !== 'up').flatMap(logTail);
  return [`Cluster ${status.cluster} is ${verdict}: ${facts.join(', ')}`, '', table, ...logs].join('\n');
}

function componentRow(component: ComponentStatus, paint: Paint): readonly string[] {
  return [
    component.component,
    paint(stateColors[component.state], component.state),
    component.version ?? '',
    component.pid?.toString() ?? '',
    component.ports?.join(',') ?? '',
    component.restarts?.toString() ?? '',
    component.ageMs === undefined ? '' : formatDuration(component.ageMs),
    component.message.replaceAll('\n', ' '),
  ];
}

function logTail(component: ComponentStatus): readonly string[] {
  if (component.lastLog === undefined || component.lastLog.length === 0) return [];
  return ['', `Last lines of ${component.component}:`, ...component.lastLog.map((line) => `  | ${line}`)];
}
