import type { Readable } from 'node:stream';
import type { HyperupError } from '../../src/base/errors.js';
import type {
  ContainerCreateBody,
  ContainerInspection,
  EngineImage,
  RuntimeEngine,
  RuntimeInfo,
  TerminalSize,
} from '../../src/docker/runtime-types.js';

/** A process's side of its streams, for programs that a test writes. */
export interface FakeIo {
  readonly stdin: Readable;
  /** Resolves once the readers have room again. */
  stdout(data: string | Buffer): Promise<void>;
  stderr(data: string | Buffer): Promise<void>;
  /** As last set; 0 × 0 before. */
  size(): TerminalSize;
  /** Fires when the process is killed, or its container ends. */
  readonly signal: AbortSignal;
}

/** What an instance of a container does once started. By default it runs until it is stopped or killed. */
export interface FakeRun {
  /** Ends with this code, `afterMs` of the clock after its start, or at once. */
  readonly exitCode?: number | undefined;
  readonly afterMs?: number | undefined;
  /** What SIGTERM does: ends it with this code (143 by default), or nothing. */
  readonly onTerm?: number | 'ignored' | undefined;
  readonly oomKilled?: boolean | undefined;
  /** In its log as soon as it runs. */
  readonly output?: readonly FakeLine[] | undefined;
  /** Written by the test instead of the above; its answer is the exit code. */
  readonly main?: ((io: FakeIo) => Promise<number>) | undefined;
  /** Starting it fails; it stays created, with this error's message and exit code 127. */
  readonly startError?: HyperupError | undefined;
}

export interface FakeLine {
  readonly stream: 'stdout' | 'stderr';
  readonly line: string;
}

/** What a command run in a container does: answers, `afterMs` of the clock later, or what the test wrote. */
export interface FakeExec {
  readonly exitCode?: number | undefined;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  readonly afterMs?: number | undefined;
  readonly main?: ((io: FakeIo) => Promise<number>) | undefined;
}

export interface FakeRuntimeCall {
  readonly call: keyof RuntimeEngine;
  readonly args: readonly unknown[];
}

/** The engine in memory, and what a test arranges for it. Commands and pulls that were not arranged throw a plain Error. */
export interface FakeRuntimeEngine extends RuntimeEngine {
  /** Every call in order. */
  readonly calls: readonly FakeRuntimeCall[];
  readonly closed: boolean;
  /** Every container that is there, oldest first. */
  containers(): readonly ContainerInspection[];
  /** What a container was made from; undefined where it is gone. */
  bodyOf(id: string): ContainerCreateBody | undefined;
  /** Gives the id. */
  addImage(reference: string, image?: Partial<EngineImage>): string;
  /** The outcomes of this reference's pulls, in order, the last one for good; `hang` ends by its signal alone. */
  arrangePull(reference: string, ...outcomes: readonly ('image' | 'hang' | HyperupError)[]): void;
  /** What containers do: one run for each start, the last one for good. The arrangement made last counts first. */
  arrangeRun(matches: (name: string, body: ContainerCreateBody) => boolean, ...runs: readonly FakeRun[]): void;
  /** By the whole command, or by a test of container and command. The arrangement made last counts first. */
  arrangeExec(matches: readonly string[] | ((id: string, command: readonly string[]) => boolean), exec: FakeExec): void;
  /** The next call of this name fails with the error. */
  failNext(call: keyof RuntimeEngine, error: HyperupError): void;
  arrangeInfo(info: Partial<RuntimeInfo>): void;
  /** Ends a running container by itself. */
  exit(id: string, exitCode: number, how?: { readonly oomKilled?: boolean }): void;
  /** Breaks every watch of events. */
  breakEvents(): void;
}
