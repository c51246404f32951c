import type { HyperupError } from '../../src/base/errors.js';
import type { Engine, EngineInfo, ImageSummary, PullProgress } from '../../src/docker/types.js';

/** How a container of a given command behaves once started, or how a command run by exec does. */
export interface FakeProgram {
  readonly output?: readonly { readonly stream: 'stdout' | 'stderr'; readonly line: string }[];
  /** `never`: it runs until it is stopped or killed. */
  readonly exit: number | 'never';
  /** What SIGTERM does to a program that runs on: ends it with this code, or nothing. */
  readonly onTerm?: number | 'ignored';
}

/** What pulling a reference does. */
export type FakePull =
  | { readonly kind: 'image'; readonly image: FakeImageSpec; readonly progress?: readonly PullProgress[] }
  | { readonly kind: 'error'; readonly error: HyperupError; readonly progress?: readonly PullProgress[] }
  /** Says nothing; ends by `stallMs` of the call (at once: no time passes in tests) or by its signal. */
  | { readonly kind: 'hang' };

export type FakeBuild =
  | { readonly kind: 'image'; readonly image?: FakeImageSpec; readonly lines?: readonly string[] }
  | { readonly kind: 'error'; readonly error: HyperupError; readonly lines?: readonly string[] };

/** An image as a test describes it; what is left out gets a value derived from the content. */
export type FakeImageSpec = Partial<Omit<ImageSummary, 'tags'>> & {
  /** Two images of one content have one id. */
  readonly content?: string;
  readonly command?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
};

export interface FakeCall {
  readonly call: keyof Engine;
  readonly args: readonly unknown[];
}

/** The engine in memory, and what a test arranges for it. Whatever was not arranged throws a plain Error, which no code of ours handles. */
export interface FakeEngine extends Engine {
  /** Every call in order. */
  readonly calls: readonly FakeCall[];
  readonly closed: boolean;
  /** Gives the id. */
  addImage(reference: string, spec?: FakeImageSpec): string;
  arrangeInfo(info: Partial<EngineInfo>): void;
  /** The outcomes of this reference's pulls, in order; the last one repeats. */
  arrangePull(reference: string, ...outcomes: readonly FakePull[]): void;
  arrangeBuild(tag: string, outcome: FakeBuild): void;
  /** For containers and for exec alike; looked up by the whole command. */
  arrangeProgram(command: readonly string[], program: FakeProgram): void;
  /** Mounts whose source is one of these are refused, as the engine refuses a source that isn't there. */
  arrangeAbsentPath(path: string): void;
  /** The next call of this name fails with the error. */
  failNext(call: keyof Engine, error: HyperupError): void;
  /** Ends a running container by itself. */
  exitContainer(id: string, exitCode: number): void;
}
