#!/usr/bin/env node
import { systemClock } from '../base/clock.js';
import { readEnvironment } from '../config/environment.js';
import { dnsHelp, wantsAllLogs } from '../dns/dns-flags.js';
import { processIo } from './cli-io.js';
import { runDnsProcess } from './dns-process.js';
import { formatError } from './error-report.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { createLogger } from './logger.js';
import { watchStopSignals } from './signals.js';

// Of the image: `hyperup dns` without the rest of the command line, for the sake of memory.
const io = processIo();
const words = process.argv.slice(2);
const argv = words[0] === 'dns' ? words.slice(1) : words;
if (argv.includes('--help') || argv.includes('-h')) {
  io.writeOut(dnsHelp());
  process.exit(exitCodes.done);
}
const logger = createLogger({ level: wantsAllLogs(argv) ? 'debug' : 'info', json: false, write: io.writeErr });
const watch = watchStopSignals(io, () => {});
// One query's mishap must not take the others' server away.
process.on('unhandledRejection', (error) => logger.error('Unhandled rejection', { err: String(error) }));

async function main(): Promise<number> {
  try {
    await runDnsProcess({ argv, env: readEnvironment(), clock: systemClock, logger, signal: watch.signal });
    return exitCodes.done;
  } catch (error) {
    io.writeErr(formatError(error, { verbose: false, color: false }));
    return exitCodeOf(error);
  }
}

void main().then((exitCode) => process.exit(exitCode));
