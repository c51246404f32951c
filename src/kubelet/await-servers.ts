import { messageOf } from '../base/errors.js';
import { connectRuntimeEngine } from '../docker/connect.js';
import type { RuntimeEngine, RuntimeInfo } from '../docker/runtime-types.js';
import type { KubeClient } from '../kube/kube-client-types.js';
import { resources } from '../kube/resource-ref.js';
import type { KubeletOptions } from './config/kubelet-options.js';
import type { KubeletDependencies } from './kubelet-dependencies.js';

/** The engine, waited for: after a boot it may come later than this process. Undefined where the end comes first. */
export async function awaitEngine(
  options: KubeletOptions,
  dependencies: KubeletDependencies,
): Promise<{ readonly engine: RuntimeEngine; readonly info: RuntimeInfo } | undefined> {
  const { clock, logger, signal, env } = dependencies;
  for (let waitMs = 200, isSaid = false; !signal.aborted; waitMs = Math.min(waitMs * 2, 5000)) {
    let engine: RuntimeEngine | undefined;
    try {
      engine = await connectRuntimeEngine({ host: options.engineHost, env, signal, clock });
      return { engine, info: await engine.info() };
    } catch (error) {
      engine?.close();
      if (!isSaid && !signal.aborted) logger.warn('No engine answers yet', { err: messageOf(error) });
      isSaid = true;
    }
    await clock.sleep(waitMs, signal).catch(() => {});
  }
  return undefined;
}

/**
 * The API server, waited for until it serves this node's first request; true once it has. Reflectors back off from one that
 * isn't there for up to half a minute, so they begin afterwards.
 */
export async function awaitApiServer(
  client: Pick<KubeClient, 'list'>,
  nodeName: string,
  { clock, logger, signal }: Pick<KubeletDependencies, 'clock' | 'logger' | 'signal'>,
): Promise<boolean> {
  const fieldSelector = `spec.nodeName=${nodeName}`;
  for (let waitMs = 50; !signal.aborted; waitMs = Math.min(waitMs * 1.3, 500)) {
    try {
      await client.list(resources.pods, { fieldSelector, limit: 1, timeoutMs: 5000, signal });
      return true;
    } catch (error) {
      logger.debug('API server does not serve yet', { err: messageOf(error) });
    }
    await clock.sleep(waitMs, signal).catch(() => {});
  }
  return false;
}
