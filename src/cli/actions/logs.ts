import { HyperupError } from '../../base/errors.js';
import type { Component } from '../../release/types.js';
import { exitCodes } from '../exit-codes.js';
import { clusterQuery, flagOption, textOption } from '../options.js';
import { writeJson } from '../output.js';
import type { Session } from '../session.js';

/** `logs COMPONENT`: its last lines, and with `-f` those to come. Commander has checked the name. */
export async function logsAction(session: Session): Promise<number> {
  const component = session.invocation.args[0] as Component | 'dns';
  const tail = Number(textOption(session, 'tail'));
  if (!Number.isSafeInteger(tail) || tail < 0) {
    throw new HyperupError(
      'Usage',
      `--tail: got ${JSON.stringify(textOption(session, 'tail'))}, want a number of lines`,
    );
  }
  const query = await clusterQuery(session);
  const verbs = await session.dependencies.loadVerbs();
  const onLine = (line: string) => {
    if (session.json) writeJson(session, { type: 'log', component, line });
    else session.io.writeOut(`${line}\n`);
  };
  await verbs.componentLogs(query, component, {
    follow: flagOption(session, 'follow'),
    tail,
    onLine,
    signal: session.signal,
  });
  return session.signal.aborted ? exitCodes.interrupted : exitCodes.done;
}
