#!/usr/bin/env node
import { packageFacts } from '../base/package-root.js';

// No `await` out here: this is bundled as CommonJS, which starts in less time.
const argv = process.argv.slice(2);

/** Asked for alone, the version needs none of the rest. */
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${packageFacts().version}\n`);
} else {
  // Sockets that a client keeps open must not keep the process: all that was to be written is written.
  void import('./run-process.js').then(async ({ runProcess }) => process.exit(await runProcess(argv)));
}
