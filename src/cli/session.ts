import type { Logger } from '../base/logger.js';
import type { Environment } from '../config/environment.js';
import type { ConfigFile } from '../config/find-config-files.js';
import type { HostFacts } from '../config/host-facts.js';
import type { OptionPath } from '../config/option-table.js';
import type { KnownNames } from '../config/relations.js';
import type { RunContext } from '../provision/runtime.js';
import type { CliIo } from './cli-io.js';
import type { CopyVerbs, LoadVerbs, SyncVerbs, Verbs } from './verbs.js';

/** What a run of the command line depends on; everything but the arguments. */
export interface CliDependencies {
  readonly io: CliIo;
  readonly env: Environment;
  readonly version: string;
  /** How the user calls this program: `hyperup`, or `node dist/cli/main.js` from a clone. */
  readonly command: string;
  /** Loaded only by the actions that need them, so that help and completion stay quick. */
  loadVerbs(): Promise<Verbs>;
  /** Apart from the others, which load ten times as much: copies are made by scripts, one after the other. */
  loadCopyVerbs(): Promise<CopyVerbs>;
  /** Apart too: a bundle is loaded in no more time than `docker load` takes. */
  loadLoadVerbs(): Promise<LoadVerbs>;
  loadSyncVerbs(): Promise<SyncVerbs>;
  loadKnownNames(): Promise<KnownNames>;
  readHost(env: Environment): HostFacts;
  readConfigFiles(named: string | undefined, host: HostFacts): Promise<readonly ConfigFile[]>;
}

/** One parsed command line. */
export interface Invocation {
  /** `images pull`. */
  readonly verb: string;
  readonly args: readonly string[];
  /** As commander gives them, defaults and global options included. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The flags that were given and are options of an install, by path. */
  readonly flags: Readonly<Partial<Record<OptionPath, unknown>>>;
}

/** A running verb's surroundings. */
export interface Session {
  readonly dependencies: CliDependencies;
  readonly io: CliIo;
  readonly invocation: Invocation;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Whether results and progress may be coloured. */
  readonly color: { readonly out: boolean; readonly err: boolean };
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Pass this to every verb. */
  readonly run: RunContext;
  /** Says what a first stop signal will do; the latest call counts. */
  describeStop(text: string): void;
}

/** A verb of the command line; gives the exit code. */
export type Action = (session: Session) => Promise<number>;
