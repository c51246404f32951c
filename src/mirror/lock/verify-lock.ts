import { throwIfAborted } from '../../base/errors.js';
import type { ImageEngine } from '../../docker/types.js';
import { inParallel } from '../copy/in-parallel.js';
import { planImages } from '../plan.js';
import type { RegistryProbe } from '../registry-probe.js';
import { sharedSignal } from '../time-limit.js';
import { imageFault } from '../verify-image.js';
import { lockAllows } from './lookup.js';
import type { ImageLock, LockEntry } from './types.js';

/** How one place stands to the lock. */
export interface LockFinding {
  /** `engine`, or the reference that a registry was asked for. */
  readonly place: string;
  /** `unknown`: the place gave no answer. */
  readonly state: 'same' | 'differs' | 'absent' | 'unknown';
  readonly detail: string;
}

export interface VerifiedImage {
  readonly reference: string;
  readonly digest: string;
  readonly findings: readonly LockFinding[];
}

export interface VerifyLockOptions {
  readonly lock: ImageLock;
  readonly engine: Pick<ImageEngine, 'inspectImage'>;
  /** Also ask the registries; undefined: the engine only. */
  readonly remote?: { readonly mirrors: readonly string[]; readonly probe: RegistryProbe } | undefined;
  readonly signal?: AbortSignal | undefined;
}

const imagesAtOnce = 4;

/**
 * Holds the engine's images, and with `remote` what every source of the list serves, against the lock. In the lock's
 * order; changes nothing. Throws `InvalidConfig` for malformed mirrors and `Aborted`.
 */
export async function verifyLock({
  lock,
  engine,
  remote,
  signal,
}: VerifyLockOptions): Promise<readonly VerifiedImage[]> {
  const entries = Object.entries(lock.images);
  const results = new Map<string, VerifiedImage>();
  const asking = sharedSignal(signal);
  await inParallel(entries, imagesAtOnce, signal, async ([reference, entry]) => {
    const own = await engineFinding(engine, reference, entry);
    const others = remote ? await remoteFindings(reference, entry, remote, asking) : [];
    results.set(reference, { reference, digest: entry.digest, findings: [own, ...others] });
  });
  return entries.flatMap(([reference]) => results.get(reference) ?? []);
}

async function engineFinding(
  engine: Pick<ImageEngine, 'inspectImage'>,
  reference: string,
  entry: LockEntry,
): Promise<LockFinding> {
  const image = await engine.inspectImage(reference);
  if (!image) return { place: 'engine', state: 'absent', detail: 'it has no such image' };
  const platforms = Object.values(entry.platforms);
  const digests = [entry.digest, ...platforms.flatMap(({ manifest, config }) => [manifest, config])];
  const fault = imageFault(reference, image, { architecture: undefined, digests });
  if (!fault) return { place: 'engine', state: 'same', detail: `image ${image.id}` };
  const names = image.digests.length === 0 ? '' : ` from ${image.digests.join(', ')}`;
  return { place: 'engine', state: 'differs', detail: `it has image ${image.id}${names}` };
}

async function remoteFindings(
  reference: string,
  entry: LockEntry,
  { mirrors, probe }: NonNullable<VerifyLockOptions['remote']>,
  signal: AbortSignal | undefined,
): Promise<readonly LockFinding[]> {
  const [plan] = planImages({ images: [{ name: reference, reference }] }, { mirrors, build: false });
  const sources = (plan?.sources ?? []).flatMap((source) =>
    source.kind === 'mirror' || source.kind === 'upstream' ? [source] : [],
  );
  const findings = await Promise.all(
    sources.map(async (source): Promise<LockFinding> => {
      throwIfAborted(signal, `verify ${reference}`);
      const place = source.reference;
      const scheme = source.kind === 'mirror' ? source.scheme : undefined;
      const answer = await probe.probe({ reference: place, scheme }, signal);
      if (!answer.ok) {
        return { place, state: answer.kind === 'notFound' ? 'absent' : 'unknown', detail: answer.reason };
      }
      const { digest } = answer.root;
      return { place, state: lockAllows(entry, digest) ? 'same' : 'differs', detail: digest };
    }),
  );
  // A mirror is asked under several names and needs but one.
  const ownerOf = (index: number) => {
    const source = sources[index];
    return source?.kind === 'mirror' ? source.mirror : '';
  };
  const has = new Set(findings.flatMap(({ state }, index) => (state === 'absent' ? [] : [ownerOf(index)])));
  return findings.filter(({ state }, index) => {
    const owner = ownerOf(index);
    const isFirst = sources.findIndex((_, other) => ownerOf(other) === owner) === index;
    return has.has(owner) ? state !== 'absent' : isFirst;
  });
}
