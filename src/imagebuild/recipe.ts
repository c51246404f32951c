import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import * as z from 'zod';
import { HyperupError, messageOf } from '../base/errors.js';

const imageSchema = z.strictObject({
  layers: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  entrypoint: z.array(z.string()),
  command: z.array(z.string()),
  packages: z.array(z.string()),
  title: z.string(),
  licenses: z.string(),
  version: z.string(),
});

const imageSetSchema = z.strictObject({
  suite: z.string(),
  kubernetesVersion: z.string(),
  images: z.record(z.string(), imageSchema),
});

export type ImageRecipe = z.infer<typeof imageSchema>;

/** The `images/` folder, read once: what to build and a fingerprint of how. */
export interface RecipeBook {
  readonly folder: string;
  /** The Debian suite that the packages come from. */
  readonly suite: string;
  readonly kubernetesVersion: string;
  readonly images: Readonly<Record<string, ImageRecipe>>;
  /** Packages of the build root beyond debootstrap's minimum. */
  readonly packages: readonly string[];
  /** Changes with anything that changes an image: 16 hex digits. */
  readonly fingerprint: string;
}

/** Reads and checks the recipes under `folder`. Throws `Internal` where they are damaged. */
export async function readRecipes(folder: string): Promise<RecipeBook> {
  try {
    const set = imageSetSchema.parse(JSON.parse(await readFile(join(folder, 'image-set.json'), 'utf8')));
    const list = await readFile(join(folder, 'builder', 'packages.txt'), 'utf8');
    const packages = list
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));
    return { folder, ...set, packages, fingerprint: await fingerprintOf(folder) };
  } catch (error) {
    throw new HyperupError('Internal', `read the image recipes in ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

async function fingerprintOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.md'))
    .map((entry) => join(entry.parentPath, entry.name))
    // The kubelet's image is made of this machine's files, not in the build root.
    .filter((file) => !relative(folder, file).startsWith('kubelet/'))
    .sort();
  for (const file of files) {
    const data = await readFile(file);
    hash.update(`${relative(folder, file)}\0${data.length}\0`).update(data);
  }
  return hash.digest('hex').slice(0, 16);
}
