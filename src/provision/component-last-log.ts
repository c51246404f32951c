import { excerptSourceLines, logExcerpt } from '../base/log-excerpt.js';
import type { StaticComponent } from '../controlplane/component-flags.js';
import type { ContainerDetails, ContainerEngine } from '../docker/types.js';
import { findComponentAttempts } from './component-containers.js';

type Containers = Pick<ContainerEngine, 'listContainers' | 'inspectContainer' | 'tailLogs'>;

/**
 * The last `lines` lines of a component's newest container, after those of the attempt before it where there was one: of
 * a component that ends again and again, the newest container may just have begun, and only the one before it has said
 * why. Undefined where none has logged anything. Throws what the engine throws, but not for a container that has gone.
 */
export async function lastAttemptsLog(
  engine: Containers,
  component: StaticComponent,
  nodeName: string,
  lines: number,
): Promise<string | undefined> {
  const [newest, former] = await findComponentAttempts(engine, component, nodeName);
  if (newest === undefined) return undefined;
  const excerpt = async ({ id }: ContainerDetails) =>
    logExcerpt(await engine.tailLogs(id, excerptSourceLines), lines).trimEnd();
  if (former === undefined) return nonEmpty(await excerpt(newest));
  // The kubelet removes old attempts as it makes new ones.
  const [now, before] = await Promise.all([excerpt(newest), excerpt(former).catch(() => '')]);
  if (before === '') return nonEmpty(now);
  const head = `an earlier attempt, ended with exit code ${former.exitCode}:\n${before}`;
  return now === '' ? head : `${head}\nthe newest attempt, ${newest.state}:\n${now}`;
}

function nonEmpty(log: string): string | undefined {
  return log.trim() === '' ? undefined : log;
}
