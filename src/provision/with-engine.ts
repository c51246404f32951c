import { connectEngine } from '../docker/connect.js';
import type { Engine } from '../docker/types.js';
import type { Runtime } from './runtime.js';

/** Calls `work` with an engine that is closed afterwards. Throws `EngineUnreachable` where none answers. */
export async function withEngine<T>(
  engineHost: string | undefined,
  runtime: Pick<Runtime, 'env' | 'signal'>,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const engine = await connectEngine({ host: engineHost, env: runtime.env, signal: runtime.signal });
  try {
    return await work(engine);
  } finally {
    engine.close();
  }
}
