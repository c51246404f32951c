import { resolve } from 'node:path';
import { installOptions } from '../options.js';
import { printResult } from '../output.js';
import type { Session } from '../session.js';

/** `render DIR`: writes everything that an install would write to a folder of its own. */
export async function renderAction(session: Session): Promise<number> {
  const dir = resolve(session.invocation.args[0] ?? '.');
  const options = await installOptions(session);
  const verbs = await session.dependencies.loadVerbs();
  const result = await verbs.render(options, dir, session.run);
  printResult(session, { dir, ...result }, () => result.files.join('\n'));
  return 0;
}
