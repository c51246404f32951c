import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { makeCompileProgress } from '../../../src/imagebuild/compile-progress.js';
import { readRecipes } from '../../../src/imagebuild/recipe.js';
import { releaseFor } from '../../../src/release/release-for.js';

const packaged = join(process.cwd(), 'images');

t.test('the packaged recipes make every image that a release wants built', async (t) => {
  const book = await readRecipes(packaged);
  for (const { recipe, name } of releaseFor(book.kubernetesVersion).images) {
    if (recipe === undefined) t.fail(`${name} has no recipe`);
    else t.ok(book.images[recipe], name);
  }
  t.ok(book.packages.includes('golang-go'));
  t.notOk(book.packages.some((line) => line.startsWith('#') || line === ''));
});

t.test('the fingerprint changes with what changes an image', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'recipes-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await cp(packaged, dir, { recursive: true });
  const { fingerprint } = await readRecipes(packaged);
  t.equal((await readRecipes(dir)).fingerprint, fingerprint, 'a copy is the same');
  await writeFile(join(dir, 'README.md'), 'other words');
  t.equal((await readRecipes(dir)).fingerprint, fingerprint, 'words are not part of it');
  await writeFile(join(dir, 'base', 'core.txt'), 'sh\n');
  t.not((await readRecipes(dir)).fingerprint, fingerprint);
});

t.test('damaged recipes name their folder', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'recipes-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await t.rejects(readRecipes(dir), { code: 'Internal', message: new RegExp(dir) });
  await writeFile(join(dir, 'image-set.json'), '{"images":{}}');
  await t.rejects(readRecipes(dir), { code: 'Internal' });
});

t.test('the compiler is heard out as progress', async (t) => {
  const lines: string[] = [];
  const listen = makeCompileProgress((line) => lines.push(line));
  for (const line of [
    'step: layer core: 12 bytes',
    'k8s.io/klog/v2',
    'step: compile hyperkube (4 packages)',
    'k8s.io/klog/v2',
    '+++ [0113 13:20:00] Building go targets',
    'k8s.io/kubernetes/cmd/hyperkube',
    'a',
    'b',
    'c',
  ])
    listen(line);
  t.strictSame(lines, [
    'layer core: 12 bytes',
    'compile hyperkube',
    'compile: 1 of 4 packages (25 %)',
    'compile: 2 of 4 packages (50 %)',
    'compile: 3 of 4 packages (75 %)',
    'compile: 4 of 4 packages (100 %)',
    'compile: 4 of 4 packages (100 %)',
  ]);
});
