import { messageOf } from '../../base/errors.js';
import type { ImageReference } from '../../registry/reference.js';
import type { ManifestContent, RegistryClient } from '../../registry/types.js';

/** One repository that is asked for a manifest. */
export interface MirrorQuestion {
  /** The mirror as the user named it. */
  readonly name: string;
  /** The mirror's place in the user's order; one mirror may be asked under several names. */
  readonly rank: number;
  readonly candidate: ImageReference;
  readonly client: RegistryClient;
}

export type MirrorAnswer =
  | { readonly question: MirrorQuestion; readonly state: 'served'; readonly manifest: ManifestContent }
  | { readonly question: MirrorQuestion; readonly state: 'failed'; readonly error: unknown }
  | { readonly question: MirrorQuestion; readonly state: 'silent' };

export interface Judgement {
  /** Undefined where nobody served one. */
  readonly root: ManifestContent | undefined;
  /** One a mirror that has `root`, in the user's order. */
  readonly sources: readonly MirrorQuestion[];
  readonly disagreeing: readonly { readonly name: string; readonly digest: string }[];
  readonly failed: readonly {
    readonly question: MirrorQuestion;
    readonly reason: string;
    readonly error?: unknown;
  }[];
}

/** Which manifest counts, who has it and who doesn't. `answers` are in the order of trust. Pure. */
export function judgeAnswers(answers: readonly MirrorAnswer[], pinned: boolean): Judgement {
  const served = answers.filter((answer) => answer.state === 'served');
  const root = served[0]?.manifest;
  const agreeing = served.filter(({ manifest }) => manifest.digest === root?.digest);
  const sources = firstOfEachMirror(agreeing.map(({ question }) => question));
  const ranks = new Set(sources.map(({ rank }) => rank));
  // A mirror that has the image under one name may well have another image under another.
  const others = served.filter(
    ({ question, manifest }) => manifest.digest !== root?.digest && !ranks.has(question.rank),
  );
  const disagreeing = pinned
    ? []
    : others.map(({ question, manifest }) => ({ name: question.name, digest: manifest.digest }));
  const failed = answers.flatMap((answer) => {
    const { question } = answer;
    if (answer.state === 'served' || ranks.has(question.rank)) return [];
    if (answer.state === 'silent') return [{ question, reason: 'did not answer in time' }];
    return [{ question, reason: messageOf(answer.error), error: answer.error }];
  });
  return { root, sources, disagreeing, failed };
}

function firstOfEachMirror(questions: readonly MirrorQuestion[]): readonly MirrorQuestion[] {
  return questions.filter(({ rank }, index) => questions.findIndex((other) => other.rank === rank) === index);
}
