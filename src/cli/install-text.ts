import { formatBytes, formatDuration } from '../base/bytes.js';
import type { InstallPlan, InstallResult, UninstallResult } from '../provision/types.js';
import { textTable } from './text-table.js';

/**
 * What an install prints at its end: what is there now and what to try next.
 *
 * @param kubeconfigIsDefault whether kubectl finds the file by itself
 * @param command how the user calls hyperup
 */
export function installSummary(result: InstallResult, kubeconfigIsDefault: boolean, command = 'hyperup'): string {
  const { status, changed, kubeconfigPath, context, kubectl, elapsedMs } = result;
  const what = `Cluster ${status.cluster} is up: Kubernetes ${status.kubernetesVersion} at ${status.server}`;
  const how = changed
    ? `installed and verified in ${formatDuration(elapsedMs)}`
    : 'it was there already, nothing changed';
  const lines = [`${what} (${how}).`, '', `  kubeconfig  ${kubeconfigPath} (context ${context})`];
  lines.push(`  kubectl     ${kubectl ?? 'none found; any kubectl near this version will do'}`, '', 'Try next:');
  if (!kubeconfigIsDefault) lines.push(`  export KUBECONFIG=${shellWord(kubeconfigPath)}`);
  const own = [
    [`${command} status`, 'health, ports and versions of each component'],
    [`${command} logs kube-apiserver`, 'what a component says'],
    [`${command} uninstall`, 'take everything back'],
  ] as const;
  const width = Math.max(...own.map(([words]) => words.length));
  lines.push('  kubectl get nodes', '  kubectl get pods --all-namespaces');
  lines.push(...own.map(([words, purpose]) => `  ${words.padEnd(width)}  # ${purpose}`));
  return lines.join('\n');
}

/** What `install --dry-run` prints. Nothing of it has been done. */
export function planText(plan: InstallPlan): string {
  const total = plan.images.reduce((sum, image) => sum + (image.sizeBytes ?? 0), 0);
  const images = textTable(
    ['IMAGE', 'REFERENCE', 'FROM', 'SIZE', 'DETAIL'],
    plan.images.map((image) => [
      image.name,
      image.reference,
      image.source,
      image.sizeBytes === undefined ? 'unknown' : formatBytes(image.sizeBytes),
      image.detail,
    ]),
  );
  const files = textTable(
    ['MODE', 'BYTES', 'FILE'],
    plan.files.map((file) => [
      file.mode.toString(8).padStart(4, '0'),
      file.sizeBytes === undefined ? '-' : String(file.sizeBytes),
      file.path,
    ]),
  );
  const containers = plan.containers.map(
    ({ name, image, command }) => `  ${name}  ${image}\n    ${command.map(shellWord).join(' ')}`,
  );
  const ports = textTable(
    ['PORT', 'COMPONENT'],
    plan.ports.map(({ port, component }) => [String(port), component]),
  );
  return [
    `Kubernetes ${plan.kubernetesVersion}: the plan; nothing has been changed.`,
    section(`Images (${formatBytes(total)})`, indent(images)),
    section(`Files (${plan.files.length})`, indent(files)),
    section('Containers', containers.join('\n')),
    section('Ports', indent(ports)),
    section('Host changes', plan.hostChanges.map((change) => `  ${change}`).join('\n')),
  ].join('\n\n');
}

/** What an uninstall prints at its end. */
export function uninstallSummary(result: UninstallResult): string {
  const { undone, leftovers, kept, elapsedMs } = result;
  const took = formatDuration(elapsedMs);
  const head =
    undone === 0
      ? 'Nothing was installed'
      : `Uninstalled in ${took}: ${undone} ${undone === 1 ? 'change' : 'changes'} taken back`;
  const proof = leftovers.length === 0 ? 'checked: nothing is left' : `${leftovers.length} left behind`;
  const lines = [`${head}; ${proof}.`];
  if (kept.length > 0) lines.push('Kept, as asked:', ...kept.map((line) => `  ${line}`));
  if (leftovers.length > 0) lines.push('Still there:', ...leftovers.map((line) => `  ${line}`));
  return lines.join('\n');
}

function section(title: string, body: string): string {
  return `${title}\n${body === '' ? '  none' : body}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

/** A word as a POSIX shell reads it back. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
