import { HyperupError } from '../base/errors.js';
import { imageSet } from './image-sets.js';
import { type ReleaseFacts, releaseFacts } from './releases.js';
import type { ImageLayout, ReleaseSpec } from './types.js';

/** Every version that `releaseFor` knows, oldest first, with the leading v. */
export function knownReleases(): readonly string[] {
  return releaseFacts.map((facts) => facts.version);
}

/**
 * The release of a version as users write it: `v1.20.2`, `1.20.2`, or `1.20` for the newest patch known.
 * Without a layout it is hyperkube's while hyperkube can serve: while the release's kubelet drives Docker.
 * Frozen; each call gives an equal value. Throws `InvalidConfig`, naming the known versions, for any other.
 */
export function releaseFor(version: string, layout?: ImageLayout): ReleaseSpec {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?$/.exec(version.trim());
  const known = knownReleases().join(', ');
  if (!match) {
    throw new HyperupError(
      'InvalidConfig',
      `read Kubernetes version: got "${version}", want MAJOR.MINOR or MAJOR.MINOR.PATCH`,
      { hint: `Known versions: ${known}.`, details: { version, known: knownReleases() } },
    );
  }
  const [, major, minor, patch] = match;
  const facts = patch === undefined ? newestPatch(`v${major}.${minor}.`) : exactly(`v${major}.${minor}.${patch}`);
  if (!facts) {
    throw new HyperupError('InvalidConfig', `read Kubernetes version: got "${version}", want one of ${known}`, {
      hint: 'Choose one of the known versions, for example with --kubernetes-version.',
      details: { version, known: knownReleases() },
    });
  }
  return imageSet(facts, layout ?? (facts.dockershim ? 'hyperkube' : 'component'));
}

function exactly(version: string): ReleaseFacts | undefined {
  return releaseFacts.find((facts) => facts.version === version);
}

function newestPatch(prefix: string): ReleaseFacts | undefined {
  const patchOf = (facts: ReleaseFacts) => Number(facts.version.slice(prefix.length));
  return releaseFacts
    .filter((facts) => facts.version.startsWith(prefix))
    .toSorted((a, b) => patchOf(a) - patchOf(b))
    .at(-1);
}
