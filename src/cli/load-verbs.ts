import type { CopyVerbs, LoadVerbs, SyncVerbs, Verbs } from './verbs.js';

/** The real verbs. Loaded late: they pull in the engine's and the API server's clients. */
export async function loadVerbs(): Promise<Verbs> {
  return await import('../provision/index.js');
}

/** The verbs that copy images, alone. */
export async function loadCopyVerbs(): Promise<CopyVerbs> {
  return await import('../provision/copy-verbs.js');
}

/** The verb that loads a bundle, alone. */
export async function loadLoadVerbs(): Promise<LoadVerbs> {
  return await import('../provision/bundle-load.js');
}

/** The verb that fills a registry, alone. */
export async function loadSyncVerbs(): Promise<SyncVerbs> {
  return await import('../provision/bundle-sync.js');
}
