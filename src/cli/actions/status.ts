import type { ClusterStatus } from '../../provision/types.js';
import { clusterQuery } from '../options.js';
import { printResult } from '../output.js';
import { runOperation } from '../run-operation.js';
import type { Session } from '../session.js';
import { statusText } from '../status-text.js';

/** `status`: each component's health. Exit code 1 where anything is down or nothing is installed. */
export async function statusAction(session: Session): Promise<number> {
  const query = await clusterQuery(session);
  const verbs = await session.dependencies.loadVerbs();
  return report(session, await verbs.status(query, session.run));
}

/** `verify`: as `status`, and a smoke pod runs, is reached through a Service and is removed again. */
export async function verifyAction(session: Session): Promise<number> {
  const query = await clusterQuery(session);
  const verbs = await session.dependencies.loadVerbs();
  session.describeStop('removing what the check made');
  return report(session, await runOperation(session, (run) => verbs.verify(query, run)));
}

function report(session: Session, status: ClusterStatus): number {
  const healthy =
    status.installed && status.healthy && status.components.every((component) => component.state === 'up');
  printResult(session, status, () => (session.quiet && healthy ? '' : statusText(status, session.color.out)), healthy);
  return healthy ? 0 : 1;
}
