import type { Test } from 'tap';
import { describeFailure, type ProgramResult } from './program.js';

/** What a command that fails must end with. */
export interface WantedFailure {
  readonly exitCode: 1 | 2;
  /** Each must be in what it says on stderr: what failed, why, what to do. */
  readonly says: readonly RegExp[];
}

/** Checks that a command failed as wanted, in words for people. */
export function failsClearly(t: Test, result: ProgramResult, { exitCode, says }: WantedFailure): void {
  const said = describeFailure(result);
  t.equal(result.exitCode, exitCode, `exit code ${exitCode}`, { said });
  for (const pattern of says) t.match(result.stderr, pattern, `it says ${pattern}`, { said });
  t.match(result.stderr, /^error: /m, 'the error is marked as one');
  t.notMatch(result.stderr, /^\s+at .*(:\d+:\d+\)?|node:internal)/m, 'no stack', { said });
  t.notMatch(
    result.stderr,
    /fault of hyperup itself|undefined|\[object Object\]|NaN/,
    'nothing that only we understand',
    {
      said,
    },
  );
}
