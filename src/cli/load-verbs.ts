import type { Verbs } from './verbs.js';

/** The real verbs. Loaded late: they pull in the engine's and the API server's clients. */
export async function loadVerbs(): Promise<Verbs> {
  return await import('../provision/index.js');
}
