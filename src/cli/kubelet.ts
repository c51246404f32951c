#!/usr/bin/env node
import { systemClock } from '../base/clock.js';
import { readEnvironment } from '../config/environment.js';
import { readHostFacts } from '../config/host-facts.js';
import { processIo } from './cli-io.js';
import { formatError } from './error-report.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { runKubeletProcess } from './kubelet-process.js';
import { createLogger } from './logger.js';
import { watchStopSignals } from './signals.js';

// The program of the kubelet's image: `hyperup kubelet` without the rest of the command line, for the sake of memory.
// No `await` out here: this is bundled as CommonJS.
const io = processIo();
const env = readEnvironment();
const argv = process.argv.slice(2);
const level = argv.includes('--v=4') ? 'debug' : 'info';
const logger = createLogger({ level, json: false, write: io.writeErr });
const watch = watchStopSignals(io, () => {});
// One pod's mishap must not take the others' kubelet away.
process.on('unhandledRejection', (error) => logger.error('Unhandled rejection', { err: String(error) }));

async function main(): Promise<number> {
  try {
    await runKubeletProcess({
      argv: argv[0] === 'kubelet' ? argv.slice(1) : argv,
      env,
      host: readHostFacts(env),
      clock: systemClock,
      logger,
      signal: watch.signal,
    });
    return exitCodes.done;
  } catch (error) {
    io.writeErr(formatError(error, { verbose: false, color: false }));
    return exitCodeOf(error);
  }
}

void main().then((exitCode) => process.exit(exitCode));
