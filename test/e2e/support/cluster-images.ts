import type { Test } from 'tap';
import { releaseFor } from '../../../src/release/release-for.js';
import { runCli } from './cli.js';
import { describeFailure, outputOf, runProgram } from './program.js';

/** The images of the release that is installed unless told otherwise, by their canonical names. */
export const clusterImages = releaseFor('v1.20.2').images;

const copyName = (reference: string) => `test.hyperup.invalid/set-aside/${reference.replace(/^[^/]*\//, '')}`;

/** What a reference stands for in the engine, if anything. */
export async function imageId(reference: string): Promise<string | undefined> {
  const result = await runProgram('docker', ['image', 'inspect', '--format', '{{.Id}}', reference]);
  return result.exitCode === 0 ? result.stdout.trim() : undefined;
}

/** Every name and digest in the engine's list of images, each with what it stands for, sorted. */
export async function imageNames(): Promise<readonly string[]> {
  const text = await outputOf('docker', [
    'images',
    '--digests',
    '--no-trunc',
    '--format',
    '{{.Repository}}:{{.Tag}}@{{.Digest}} {{.ID}}',
  ]);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

/** Gives an image its canonical name back, from the copy that a test has made. */
async function putBack(reference: string): Promise<void> {
  const copy = copyName(reference);
  if ((await imageId(copy)) === undefined) return;
  await outputOf('docker', ['tag', copy, reference]);
  await outputOf('docker', ['rmi', copy]);
}

/** Puts the canonical names back, where a test that was killed left copies; else builds them; those of the recipes of today stay. */
export async function ensureClusterImages(): Promise<void> {
  for (const { reference } of clusterImages) await putBack(reference);
  const result = await runCli(['images', 'build'], { timeoutMs: 1_800_000 });
  if (result.exitCode !== 0) throw new Error(describeFailure(result));
}

/**
 * Takes the canonical names off the images until the test ends, as on a machine that never had them; the images stay
 * under names of the tests'. Gives those names by the canonical one.
 */
export async function setClusterImagesAside(
  t: Test,
  references: readonly string[] = clusterImages.map(({ reference }) => reference),
): Promise<ReadonlyMap<string, string>> {
  await ensureClusterImages();
  const copies = new Map(references.map((reference) => [reference, copyName(reference)]));
  t.teardown(async () => {
    for (const reference of copies.keys()) await putBack(reference);
  });
  for (const [reference, copy] of copies) await outputOf('docker', ['tag', reference, copy]);
  for (const reference of copies.keys()) await outputOf('docker', ['rmi', reference]);
  return copies;
}
