import { type Argument, type Command, Option } from 'commander';
import type { Action } from './session.js';

/** What a verb takes. */
export interface VerbDetails {
  readonly arguments?: readonly Argument[];
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** Flags that the program itself doesn't know are handed on, help included. */
  readonly passThrough?: boolean;
}

/**
 * Adds a verb to a command; its action is loaded when it runs, its details are made where the command line names it: those
 * of all verbs take as long to make as all else that is done before an action.
 */
export type AddVerb = (
  parent: Command,
  name: string,
  summary: string,
  load: () => Promise<Action>,
  details: () => VerbDetails,
) => void;

/** The one that all verbs with options have. */
export function configOption(): Option {
  return new Option(
    '--config <file>',
    'config file (default: ~/.config/hyperup/config.yaml, /etc/hyperup/config.yaml)',
  );
}

/** An option that may be given several times; its value is the list. */
export function repeatable(flags: string, help: string): Option {
  return new Option(flags, help).argParser((value: string, earlier: readonly string[] | undefined) => [
    ...(earlier ?? []),
    value,
  ]);
}
