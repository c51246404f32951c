import { basename, relative } from 'node:path';
import { packageFacts } from '../base/package-root.js';
import { readEnvironment } from '../config/environment.js';
import { readHostFacts } from '../config/host-facts.js';
import { loadKnownNames } from './catalogue.js';
import { processIo } from './cli-io.js';
import { loadCopyVerbs, loadLoadVerbs, loadSyncVerbs, loadVerbs } from './load-verbs.js';
import { runCli } from './run.js';

/** Runs the command line on the real terminal, host and verbs; gives the exit code. */
export async function runProcess(argv: readonly string[]): Promise<number> {
  const env = readEnvironment();
  return await runCli(argv, {
    io: processIo(),
    env,
    version: packageFacts().version,
    command: commandName(process.argv[1] ?? ''),
    loadVerbs,
    loadCopyVerbs,
    loadLoadVerbs,
    loadSyncVerbs,
    loadKnownNames,
    readHost: readHostFacts,
    readConfigFiles: async (named, host) =>
      (await import('../config/find-config-files.js')).readConfigFiles(named, env, host),
  });
}

/** npm puts a link named hyperup on the PATH; anything else was called by its file. */
function commandName(script: string): string {
  return basename(script) === 'hyperup' ? 'hyperup' : `node ${relative(process.cwd(), script)}`;
}
