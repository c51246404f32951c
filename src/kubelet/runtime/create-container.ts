import { HyperupError, isHyperupError } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { ContainerCreateBody, RuntimeEngine } from '../../docker/runtime-types.js';
import type { ContainerId } from '../types.js';
import { randomizeName } from './naming.js';
import { isRunning } from './status.js';

/**
 * Creates a container and gives its id. A name that is taken is won back: whoever has it is removed unless it runs, and
 * where it is gone already while the engine still holds the name, the new one gets a random ending (v1.20
 * `dockershim/helpers.go` `recoverFromCreationConflictIfNeeded`); `onRemoved` clears away what else it had. Rejects as `RuntimeEngine.createContainer` does.
 */
export async function createContainer(
  engine: RuntimeEngine,
  name: string,
  body: ContainerCreateBody,
  logger: Logger,
  onRemoved?: (id: ContainerId) => Promise<void>,
): Promise<string> {
  try {
    return await engine.createContainer(name, body);
  } catch (error) {
    const holder = holderOf(error);
    if (holder === undefined) throw error;
    const found = await engine.inspectContainer(holder);
    if (found && isRunning(found.status)) throw error;
    logger.warn('The name of a container is taken by one that does not run', { name, containerID: holder });
    const removed = await engine.removeContainer(holder);
    await onRemoved?.(holder);
    return await engine.createContainer(removed ? name : randomizeName(name), body);
  }
}

/** Who has the name; undefined for every other failure. */
function holderOf(error: unknown): string | undefined {
  if (
    !(error instanceof HyperupError) ||
    !(isHyperupError(error, 'Conflict') || isHyperupError(error, 'AlreadyExists'))
  )
    return undefined;
  const id = error.details['containerId'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}
