import { join } from 'node:path';
import { describeFailure, runProgram } from './program.js';

/** The images that `build.sh` makes, by what the workloads call them. */
export type TestImage = 'flask' | 'redis' | 'mariadb' | 'web' | 'busybox';

export const testImage = (name: TestImage): string => `test.hyperup.invalid/${name}:1`;

/**
 * Makes the workloads' images where they are not in the engine yet: a minute or two the first time, nothing after.
 * Called with a line for each step. Throws with the builder's output where one can't be made.
 */
export async function ensureTestImages(
  names: readonly TestImage[] = [],
  onLine: (line: string) => void = () => {},
): Promise<void> {
  const script = join(process.cwd(), 'test/e2e/images/build.sh');
  const result = await runProgram('sh', [script, ...names], { onLine, timeoutMs: 900_000 });
  if (result.exitCode !== 0) throw new Error(describeFailure(result));
}
