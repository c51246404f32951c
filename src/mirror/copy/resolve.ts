import { type Clock, systemClock } from '../../base/clock.js';
import { HyperupError, throwIfAborted } from '../../base/errors.js';
import { type EmitProgress, ignoreProgress } from '../../base/progress.js';
import { familiarName, formatReference, type ImageReference, parseReference } from '../../registry/reference.js';
import type { ManifestContent, RegistryClient, RegistryClients } from '../../registry/types.js';
import { type MirrorList, mirrorCandidates } from '../mirror-spec.js';
import { judgeAnswers, type MirrorAnswer, type MirrorQuestion } from './judge-answers.js';

/** What a lock says of a reference: the digest of its manifest or index. */
export interface LockedDigests {
  /** `reference` is the full text, domain and `library/` included, without a digest. Undefined where it isn't locked. */
  digestOf(reference: string): string | undefined;
}

export interface ResolveOptions {
  /** With a digest from here content of any mirror is trusted. */
  readonly lock?: LockedDigests | undefined;
  readonly emit?: EmitProgress | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

/** A repository that serves the resolved manifest, and so its blobs. */
export interface ResolvedSource {
  /** The mirror as the user named it, or the canonical registry's host. */
  readonly name: string;
  readonly reference: ImageReference;
  readonly client: RegistryClient;
}

export interface ResolvedImage {
  /** What was asked for, in full: domain, `library/`, tag or digest. */
  readonly reference: string;
  /** Checked against the pinned digest, where there is one. */
  readonly root: ManifestContent;
  /** True where a digest of the user's or the lock's stands for the content. */
  readonly pinned: boolean;
  /** All that answered with this manifest, in the user's order; at least one. */
  readonly sources: readonly ResolvedSource[];
  /** Who didn't serve it in time, and why. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** How long the others are waited for once one has answered: at least, and in proportion to what that one took. */
const graceMs = { least: 250, most: 3000, factor: 2 } as const;

/**
 * Asks every source of `mirrors` for the image's manifest at once. With a pinned digest any right answer will do; else
 * the order of the list decides among those who answer, and a disagreement becomes a warning. Whoever has the same
 * manifest is a source of its blobs. One slow source costs at most a grace after the first answer.
 *
 * Throws `ImageUnavailable` naming each source and why it failed, `InvalidConfig` for a malformed reference or one
 * whose digest isn't the lock's, `Aborted`.
 */
export async function resolveImage(
  reference: string,
  mirrors: MirrorList,
  clients: Pick<RegistryClients, 'clientFor'>,
  options: ResolveOptions = {},
): Promise<ResolvedImage> {
  const { emit = ignoreProgress, clock = systemClock, signal } = options;
  const wanted = withTag(parseReference(reference));
  const shown = familiarName(wanted);
  const digest = pinnedDigest(wanted, options.lock);
  const questions = questionsOf(wanted, mirrors, clients);
  if (questions.length === 0) {
    throw new HyperupError('ImageUnavailable', `get the manifest of ${shown}: no mirror copies ${wanted.domain}`, {
      hint: 'Name another mirror, or allow the canonical registry by leaving out "none".',
    });
  }
  throwIfAborted(signal, `get the manifest of ${shown}`);
  const answers = await askAll(questions, digest ?? wanted.tag ?? 'latest', digest !== undefined, clock, signal);
  throwIfAborted(signal, `get the manifest of ${shown}`);
  const judged = judgeAnswers(answers, digest !== undefined);
  const failed = judged.failed.map(({ question, reason }) => ({ name: question.name, reason }));
  if (judged.root === undefined) throw unavailable(shown, judged.failed);
  for (const other of judged.disagreeing) {
    emit({
      type: 'note',
      level: 'warn',
      message: `mirrors disagree on ${shown}: ${other.name} has ${other.digest}, ${judged.sources[0]?.name} has ${judged.root.digest}, which is taken`,
      hint: 'The order of the mirrors decided. Pin the digest, or use a lock file, to have one image from all.',
    });
  }
  return {
    reference: formatReference(wanted),
    root: judged.root,
    pinned: digest !== undefined,
    sources: judged.sources.map(({ name, candidate, client }) => ({ name, reference: candidate, client })),
    failed,
  };
}

function withTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

function pinnedDigest(wanted: ImageReference, lock: LockedDigests | undefined): string | undefined {
  const { digest, ...named } = wanted;
  const locked = named.tag === undefined ? undefined : lock?.digestOf(formatReference(named));
  if (digest !== undefined && locked !== undefined && digest !== locked) {
    throw new HyperupError(
      'InvalidConfig',
      `check ${familiarName(wanted)} against the lock: got ${digest}, want ${locked}`,
      {
        hint: 'Leave the digest out of the reference, or make the lock anew.',
      },
    );
  }
  return digest ?? locked;
}

/** One question a repository that may hold the image, in the order of trust. */
function questionsOf(
  wanted: ImageReference,
  { entries }: MirrorList,
  clients: Pick<RegistryClients, 'clientFor'>,
): readonly MirrorQuestion[] {
  const questions = entries.flatMap((entry, rank) => {
    const candidates = entry === 'upstream' ? [wanted] : mirrorCandidates(entry, wanted);
    return candidates.map((candidate): MirrorQuestion => {
      const scheme = entry === 'upstream' ? undefined : entry.scheme;
      const name = entry === 'upstream' ? wanted.domain : entry.name;
      return { name, rank, candidate, client: clients.clientFor(candidate.domain, scheme) };
    });
  });
  const keys = questions.map(({ candidate }) => formatReference(candidate));
  return questions.filter(({ candidate }, index) => keys.indexOf(formatReference(candidate)) === index);
}

/** Resolves when all have answered, or the grace after the first usable answer is over; who is late is cut off. */
async function askAll(
  questions: readonly MirrorQuestion[],
  tagOrDigest: string,
  pinned: boolean,
  clock: Clock,
  outer: AbortSignal | undefined,
): Promise<readonly MirrorAnswer[]> {
  const stop = new AbortController();
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  const answers: MirrorAnswer[] = questions.map((question) => ({ question, state: 'silent' }));
  const startedMs = clock.monotonicMs();
  let served: () => void = () => {};
  const firstServed = new Promise<void>((resolve) => {
    served = resolve;
  });
  const asked = questions.map(async (question, index) => {
    try {
      const manifest = await question.client.getManifest(question.candidate.path, tagOrDigest, { signal });
      // A client checks what it was asked for; a pin is worth checking where it is relied on.
      if (pinned && manifest.digest !== tagOrDigest) {
        throw new HyperupError('DigestMismatch', `got ${manifest.digest}, want ${tagOrDigest} as pinned`);
      }
      answers[index] = { question, state: 'served', manifest };
      served();
    } catch (error) {
      if (!stop.signal.aborted) answers[index] = { question, state: 'failed', error };
    }
  });
  const late = (async () => {
    await firstServed;
    const tookMs = clock.monotonicMs() - startedMs;
    const waitMs = Math.min(graceMs.most, Math.max(graceMs.least, tookMs * graceMs.factor));
    await clock.sleep(waitMs, signal).catch(() => {});
  })();
  await Promise.race([Promise.all(asked), late]);
  stop.abort();
  return answers;
}

function unavailable(
  shown: string,
  failed: readonly { readonly question: MirrorQuestion; readonly reason: string; readonly error?: unknown }[],
): HyperupError {
  const causes = failed.map(({ error }) => error).filter((error) => error instanceof HyperupError);
  const lines = failed.map(({ question, reason }) => `${describeQuestion(question)}: ${reason}`);
  const hint = causes.find(({ hint }) => hint !== undefined)?.hint;
  return new HyperupError(
    'ImageUnavailable',
    failed.length === 1
      ? `get the manifest of ${shown}: ${failed[0]?.reason ?? ''}`
      : `get the manifest of ${shown}: no source has it:\n  ${lines.join('\n  ')}`,
    {
      hint: hint ?? 'Check the reference, or name a mirror that has it with --mirror.',
      details: {
        reference: shown,
        sources: failed.map(({ question, reason, error }) => ({
          name: question.name,
          reference: formatReference(question.candidate),
          reason,
          code: error instanceof HyperupError ? error.code : undefined,
        })),
      },
      ...(failed.length === 1 && causes[0] !== undefined ? { cause: causes[0] } : {}),
    },
  );
}

function describeQuestion({ name, candidate }: MirrorQuestion): string {
  const place = formatReference(candidate);
  return place.startsWith(name) ? place : `${name} (${place})`;
}
