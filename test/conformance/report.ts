import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Writes what a run of Kubernetes' own tests came to, from its JUnit reports, as a table of tests:
 *
 *     node build/test-js/test/conformance/report.js RESULTS OUT.tsv
 *
 * RESULTS holds a folder a part of the run, each with `junit_*.xml`. Prints the totals as a line.
 */
interface Case {
  readonly name: string;
  readonly result: 'passed' | 'failed';
  readonly seconds: number;
}

async function readCases(folder: string): Promise<readonly Case[]> {
  const cases = new Map<string, Case>();
  for (const entry of await readdir(folder, { recursive: true })) {
    if (!/junit_[^/]*\.xml$/.test(entry)) continue;
    const xml = await readFile(join(folder, entry), 'utf8');
    for (const [, attributes = '', body = ''] of xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
      // Each worker's report has all tests; those that it didn't run are marked as skipped.
      if (body.includes('<skipped')) continue;
      const attribute = (name: string) =>
        decodeEntities(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
      const name = attribute('name');
      const result = body.includes('<failure') ? 'failed' : 'passed';
      cases.set(name, { name, result, seconds: Math.round(Number(attribute('time')) * 10) / 10 });
    }
  }
  return [...cases.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function decodeEntities(text: string): string {
  const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&', apos: "'" };
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    if (decimal) return String.fromCodePoint(Number(decimal));
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return entities[name] ?? whole;
  });
}

const [, , results = '', out = ''] = process.argv;
const cases = await readCases(results);
const rows = cases.map(({ result, seconds, name }) => `${result}\t${seconds}\t${name}`);
await writeFile(out, `result\tseconds\ttest\n${rows.join('\n')}\n`);
const count = (result: Case['result']) => cases.filter((each) => each.result === result).length;
process.stdout.write(`${cases.length} tests: ${count('passed')} passed, ${count('failed')} failed\n`);
