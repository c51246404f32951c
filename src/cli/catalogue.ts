import type { KnownNames } from '../config/relations.js';

/** What the rooms below know by name: releases, preflight checks, and how mirrors are written. */
export async function loadKnownNames(): Promise<KnownNames> {
  const [{ knownReleases, releaseFor }, { parseMirrors }, { preflightIds }] = await Promise.all([
    import('../release/release-for.js'),
    import('../mirror/mirror-spec.js'),
    import('../preflight/checks/all-checks.js'),
  ]);
  const releases = knownReleases().map((version) => releaseFor(version));
  return { releases, preflightIds, readMirrors: parseMirrors };
}
