import { systemClock } from '../../base/clock.js';
import { exitCodes } from '../exit-codes.js';
import { kubeletHelp, runKubeletProcess } from '../kubelet-process.js';
import { createLogger } from '../logger.js';
import type { Session } from '../session.js';

/** `kubelet`: the built-in kubelet in the foreground, until it is interrupted. Logs go to stderr. */
export async function kubeletAction(session: Session): Promise<number> {
  const { io, dependencies, invocation, json, verbose } = session;
  if (invocation.args.includes('--help') || invocation.args.includes('-h')) {
    io.writeOut(kubeletHelp());
    return exitCodes.done;
  }
  session.describeStop('the kubelet stops, its pods run on');
  await runKubeletProcess({
    argv: invocation.args,
    env: dependencies.env,
    host: dependencies.readHost(dependencies.env),
    clock: systemClock,
    logger: createLogger({ level: verbose ? 'debug' : 'info', json, write: io.writeErr }),
    signal: session.signal,
  });
  return exitCodes.done;
}
