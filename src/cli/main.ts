#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { packageFacts } from '../base/package-root.js';

// undici's parser is WebAssembly; V8 would spend a third of a second of one processor on compiling it better, for some
// dozens of answers. What is set here is how many bytes it has to run through before that.
setFlagsFromString(`--wasm-tiering-budget=${1 << 30}`);

const argv = process.argv.slice(2);

/** Asked for alone, the version needs none of the rest. */
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${packageFacts().version}\n`);
} else {
  const { runProcess } = await import('./run-process.js');
  // Sockets that a client keeps open must not keep the process: all that was to be written is written.
  process.exit(await runProcess(argv));
}
