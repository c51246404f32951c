import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseConfigFile } from '../../../src/config/config-file.js';
import { parseDuration } from '../../../src/config/convert.js';
import { makeDefaults } from '../../../src/config/defaults.js';
import { nearestName } from '../../../src/config/nearest.js';
import { type OptionSpec, optionTable } from '../../../src/config/option-table.js';
import { resolveInstallOptions } from '../../../src/config/resolve-options.js';
import { installOptionsSchema } from '../../../src/config/schema.js';
import { host, sources } from './sources.js';

const rows: readonly OptionSpec[] = optionTable;

function leafPaths(node: unknown, prefix = ''): readonly string[] {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return [prefix];
  return Object.entries(node).flatMap(([key, value]) => leafPaths(value, prefix === '' ? key : `${prefix}.${key}`));
}

t.test('every leaf of InstallOptions has its row, save the derived ones', async (t) => {
  const leaves = leafPaths(makeDefaults(host, {})).filter((path) => path !== 'cluster.ports.api');
  t.strictSame([...leaves].sort(), rows.map((row) => row.path).sort());
});

t.test('flags, variables and keys are unique', async (t) => {
  for (const column of ['flag', 'env', 'file'] as const) {
    const values = rows.flatMap((row) => row[column] ?? []);
    t.equal(new Set(values).size, values.length, column);
  }
});

t.test('the defaults are valid, and the help tells them as they are', async (t) => {
  const defaults = makeDefaults(host, {});
  t.ok(installOptionsSchema.safeParse(defaults).success);
  for (const row of rows) {
    const told = /\(default: ([\w./:]+)\)$/.exec(row.help)?.[1];
    if (told === undefined) continue;
    const value = row.path.split('.').reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], defaults);
    t.equal(
      row.kind === 'duration' ? parseDuration(told) : told,
      row.kind === 'duration' ? value : String(value),
      row.path,
    );
  }
});

t.test("the README's example file is valid", async (t) => {
  for (const readme of ['README.md', 'README.zh-CN.md']) {
    const text = /```yaml\n# config\.yaml\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8'))?.[1] ?? '';
    const { values, faults } = parseConfigFile({ path: readme, text });
    t.strictSame(faults, [], readme);
    t.ok(values.length > 8, `${readme} shows more than a few keys`);
    t.equal(resolveInstallOptions(sources({ files: [{ path: readme, text }] })).options.cluster.name, 'lab');
  }
});

t.test('durations', async (t) => {
  const cases = [
    ['90s', 90_000],
    ['3m', 180_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['20', 20_000],
    [' 5s ', 5000],
  ] as const;
  for (const [text, want] of cases) t.equal(parseDuration(text), want, text);
  for (const text of ['', 'm', '-1s', '1d', '1m30s', '1 s']) t.equal(parseDuration(text), undefined, text);
});

t.test('nearest names', async (t) => {
  const names = ['cluster.apiPort', 'cluster.name', 'images.mirrors', 'swap'];
  const cases = [
    ['cluster.apiport', 'cluster.apiPort'],
    ['apiPort', 'cluster.apiPort'],
    ['mirrors', 'images.mirrors'],
    ['image.mirror', 'images.mirrors'],
    ['swpa', 'swap'],
    ['flannel', undefined],
  ] as const;
  for (const [word, want] of cases) t.equal(nearestName(word, names), want, word);
});
