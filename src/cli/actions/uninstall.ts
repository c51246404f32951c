import { HyperupError } from '../../base/errors.js';
import type { UninstallOptions } from '../../config/types.js';
import { uninstallSummary } from '../install-text.js';
import { clusterQuery, flagOption, refuseTogether } from '../options.js';
import { printResult } from '../output.js';
import { runOperation } from '../run-operation.js';
import type { Session } from '../session.js';

/** `uninstall`: asks unless `--yes`, takes everything back, and fails where something is left. */
export async function uninstallAction(session: Session): Promise<number> {
  const why = 'either images stay or they go';
  refuseTogether(session, ['keepImages', '--keep-images'], ['purgeImages', '--purge-images'], why);
  const query = await clusterQuery(session);
  const options: UninstallOptions = {
    stateDir: query.stateDir,
    engineHost: query.engineHost,
    keepData: flagOption(session, 'keepData'),
    images: flagOption(session, 'purgeImages') ? 'purge' : 'keep',
    yes: flagOption(session, 'yes'),
  };
  if (!options.yes && !(await confirmed(session, options))) {
    session.io.writeErr('Nothing was changed.\n');
    return 1;
  }
  session.describeStop('stopping; run "hyperup uninstall" again to finish');
  const verbs = await session.dependencies.loadVerbs();
  const result = await runOperation(session, (run) => verbs.uninstall({ ...options, yes: true }, run));
  const clean = result.leftovers.length === 0;
  printResult(session, result, () => (session.quiet && clean ? '' : uninstallSummary(result)), clean);
  return clean ? 0 : 1;
}

async function confirmed(session: Session, options: UninstallOptions): Promise<boolean> {
  if (!session.io.stdinIsTty || session.json) {
    throw new HyperupError(
      'Usage',
      'uninstall: got no answer to "remove the cluster?", want --yes where nobody can be asked',
      {
        hint: 'Pass --yes to remove the cluster without a question.',
      },
    );
  }
  const data = options.keepData ? "; etcd's data is kept" : ' with all pods and data';
  const question = `This removes the cluster recorded in ${options.stateDir}${data}. Continue? [y/N] `;
  session.describeStop('stopping; nothing was changed');
  return /^y(es)?$/i.test((await session.io.ask(question, session.signal)).trim());
}
