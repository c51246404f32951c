import { clusterQuery, optionSources } from '../options.js';
import { printResult } from '../output.js';
import type { Session } from '../session.js';

/** `kubeconfig print`: the administrator's kubeconfig on stdout. It holds a private key. */
export async function printKubeconfigAction(session: Session): Promise<number> {
  const query = await clusterQuery(session);
  const verbs = await session.dependencies.loadVerbs();
  const kubeconfig = await verbs.kubeconfigPrint(query);
  printResult(session, { kubeconfig }, () => kubeconfig);
  return 0;
}

/** `kubeconfig merge`: adds the cluster to a kubeconfig file and makes it current. */
export async function mergeKubeconfigAction(session: Session): Promise<number> {
  const query = await clusterQuery(session);
  const path = await kubeconfigPath(session);
  const verbs = await session.dependencies.loadVerbs();
  const result = await verbs.kubeconfigMerge(query, path);
  printResult(session, { path, ...result }, () =>
    result.changed
      ? `${path}: context ${result.context} is there and current.`
      : `${path}: context ${result.context} was there and current already; nothing changed.`,
  );
  return 0;
}

/** `kubeconfig remove`: takes the cluster's entries out of a kubeconfig file. */
export async function removeKubeconfigAction(session: Session): Promise<number> {
  const query = await clusterQuery(session);
  const path = await kubeconfigPath(session);
  const verbs = await session.dependencies.loadVerbs();
  const result = await verbs.kubeconfigRemove(query, path);
  printResult(session, { path, ...result }, () =>
    result.removed
      ? `${path}: the cluster's entries are gone.`
      : `${path}: holds no entries of the cluster; nothing changed.`,
  );
  return 0;
}

async function kubeconfigPath(session: Session): Promise<string> {
  const { resolveKubeconfigPath } = await import('../../config/resolve-options.js');
  return resolveKubeconfigPath(await optionSources(session));
}
