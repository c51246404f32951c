import { join } from 'node:path';
import { environmentValue } from '../../config/environment.js';
import { installSummary, planText } from '../install-text.js';
import { installOptions } from '../options.js';
import { printResult } from '../output.js';
import { runOperation } from '../run-operation.js';
import type { Session } from '../session.js';

/** `install`: makes the cluster, or with `--dry-run` prints the plan. */
export async function installAction(session: Session): Promise<number> {
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  if (options.dryRun) {
    const plan = await verbs.planInstall(options, session.run);
    printResult(session, plan, () => planText(plan));
    return 0;
  }
  session.describeStop(options.keepOnFailure ? 'stopping, what was made stays' : 'rolling back');
  const result = await runOperation(session, (run) => verbs.install(options, run));
  const { env, readHost, command } = session.dependencies;
  const kubeconfigs = environmentValue(env, 'KUBECONFIG');
  const fromEnvironment = kubeconfigs?.split(':').includes(options.kubeconfigPath) ?? false;
  const isDefault =
    fromEnvironment ||
    (kubeconfigs === undefined && options.kubeconfigPath === join(readHost(env).homeDir, '.kube/config'));
  printResult(session, result, () => (session.quiet ? '' : installSummary(result, isDefault, command)));
  return 0;
}
