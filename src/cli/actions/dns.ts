import { systemClock } from '../../base/clock.js';
import { dnsHelp } from '../../dns/dns-flags.js';
import { runDnsProcess } from '../dns-process.js';
import { exitCodes } from '../exit-codes.js';
import { createLogger } from '../logger.js';
import type { Session } from '../session.js';

/** `dns`: the cluster's DNS server in the foreground, until it is interrupted. Logs go to stderr. */
export async function dnsAction(session: Session): Promise<number> {
  const { io, dependencies, invocation, json, verbose } = session;
  if (invocation.args.includes('--help') || invocation.args.includes('-h')) {
    io.writeOut(dnsHelp());
    return exitCodes.done;
  }
  session.describeStop('the DNS server stops');
  await runDnsProcess({
    argv: invocation.args,
    env: dependencies.env,
    clock: systemClock,
    logger: createLogger({ level: verbose ? 'debug' : 'info', json, write: io.writeErr }),
    signal: session.signal,
  });
  return exitCodes.done;
}
