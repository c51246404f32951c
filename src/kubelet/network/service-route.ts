import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { RunCommand } from '../../base/run-command.js';
import { hostCommand } from './host-command.js';

/** A way to Service addresses on a machine that has no route to them; see `--service-route`. */
export interface ServiceRoute {
  /** The range of Service addresses. */
  readonly destination: string;
  /** An interface. */
  readonly link: string;
  /** The address that packets come from. */
  readonly source: string;
}

export interface ServiceRouteOptions {
  readonly route: ServiceRoute;
  readonly hostRoot: string;
  readonly run: RunCommand;
  readonly logger: Logger;
}

/**
 * Adds the route where the machine has lost it, as in a reboot: the kernel forgets routes, and it is the kubelet that comes
 * back by itself. Gives whether it is there; never throws, and says so in the log where it can't be had. Idempotent.
 */
export async function ensureServiceRoute(options: ServiceRouteOptions): Promise<boolean> {
  const { route, hostRoot, run, logger } = options;
  const { destination, link, source } = route;
  const words = ['-4', 'route', 'add', destination, 'dev', link, 'src', source];
  const [file, args] = hostCommand(hostRoot, ['ip', ...words]);
  try {
    const { exitCode, stderr } = await run(file, args, { timeoutMs: 10_000 });
    if (exitCode === 0) logger.info('Added the route to Service addresses', { ...route });
    if (exitCode === 0 || /File exists/.test(stderr)) return true;
    logger.warn('There is no route to Service addresses', { ...route, err: stderr.trim() });
  } catch (error) {
    logger.warn('There is no route to Service addresses', { ...route, err: messageOf(error) });
  }
  return false;
}
