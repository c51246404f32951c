/**
 * Runs test suites: `node build/test-js/test/run.js unit integration e2e [part of a file's path...]`.
 * Each file is a program of its own that prints TAP. The last line is `N passed, N failed, N skipped` over all suites; the
 * exit code is 1 where anything failed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countTap, type TapCount } from './tap-count.js';

interface Suite {
  /** How many files run side by side. */
  readonly jobs: number;
  /** How long one file may take before it is killed. */
  readonly timeoutMs: number;
  /** How long a file may take that sets no limit of its own (`t.setTimeout`); tap then says what it was waiting for. */
  readonly tapTimeoutMs: number;
  /** Print each test as it ends: its files run for minutes. */
  readonly live: boolean;
}

const suites: Readonly<Record<string, Suite>> = {
  unit: { jobs: 2, timeoutMs: 60_000, tapTimeoutMs: 50_000, live: false },
  integration: { jobs: 1, timeoutMs: 20 * 60_000, tapTimeoutMs: 300_000, live: true },
  e2e: { jobs: 1, timeoutMs: 60 * 60_000, tapTimeoutMs: 300_000, live: true },
};

const here = dirname(fileURLToPath(import.meta.url));
const running = new Set<ChildProcess>();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The group holds what the test started too. It is ours: the test was made its leader. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // gone already
  }
}

async function runFile(path: string, suite: Suite): Promise<TapCount> {
  const name = relative(here, path).replace(/\.test\.js$/, '');
  const startedAt = performance.now();
  let [out, err, pending] = ['', '', ''];
  const child = spawn(process.execPath, ['--enable-source-maps', path], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: String(suite.tapTimeoutMs / 1000) },
  });
  running.add(child);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (!suite.live) return;
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) if (/^(not )?ok\b/.test(line)) say(`    ${line}`);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    if (suite.live) process.stderr.write(text);
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child, 'SIGTERM');
    setTimeout(() => killGroup(child, 'SIGKILL'), 10_000).unref();
  }, suite.timeoutMs);
  if (suite.live) say(`  .... ${name}`);
  const ending = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? '' : `ended with ${signal ?? `exit code ${code}`}`));
  });
  clearTimeout(timer);
  running.delete(child);
  const counted = countTap(out);
  const isEmpty = counted.passed + counted.failed + counted.skipped === 0;
  const fault = isLate ? `not done after ${suite.timeoutMs / 1000} s` : isEmpty ? ending || 'no test ran' : ending;
  // A file that ends badly with every assertion passed has failed all the same.
  const count = fault !== '' && counted.failed === 0 ? { ...counted, failed: 1 } : counted;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  say(`  ${count.failed > 0 ? 'FAIL' : ' ok '} ${name}: ${tally(count)} (${seconds} s)${fault && `: ${fault}`}`);
  for (const skip of count.skips) say(`       skipped: ${skip}`);
  if (count.failed > 0) {
    say(withoutPasses(out));
    if (!suite.live && err !== '') say(err.trimEnd());
  }
  return count;
}

function withoutPasses(tap: string): string {
  const lines = tap
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s*(ok\b|1\.\.|# (Subtest|time|\{))/.test(line));
  return lines.map((line) => `       ${line}`).join('\n');
}

function tally(count: Omit<TapCount, 'skips'>): string {
  return `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
}

async function runSuite(name: string, suite: Suite, filters: readonly string[]): Promise<TapCount> {
  const files = testFiles(join(here, name)).filter(
    (path) => filters.length === 0 || filters.some((part) => path.includes(part)),
  );
  say(`${name}: ${files.length} files`);
  const counts: TapCount[] = [];
  const queue = [...files];
  const work = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) counts.push(await runFile(path, suite));
  };
  await Promise.all(Array.from({ length: suite.jobs }, work));
  return sum(counts);
}

function testFiles(folder: string): readonly string[] {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return all
    .filter((path) => path.endsWith('.test.js'))
    .sort()
    .map((path) => join(folder, path));
}

function sum(counts: readonly TapCount[]): TapCount {
  const add = (pick: (count: TapCount) => number) => counts.reduce((total, count) => total + pick(count), 0);
  return {
    passed: add((count) => count.passed),
    failed: add((count) => count.failed),
    skipped: add((count) => count.skipped),
    skips: [],
  };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const child of running) killGroup(child, signal);
    process.exitCode = 130;
    say(`interrupted by ${signal}`);
    setTimeout(() => process.exit(130), 15_000).unref();
  });
}

const words = process.argv.slice(2);
const names = words.filter((word) => suites[word] !== undefined);
const filters = words.filter((word) => suites[word] === undefined);
const counts: TapCount[] = [];
for (const name of names.length > 0 ? names : ['unit']) {
  const suite = suites[name];
  if (suite !== undefined) counts.push(await runSuite(name, suite, filters));
}
const total = sum(counts);
say(tally(total));
const ranNothing = total.passed + total.failed + total.skipped === 0;
process.exitCode ||= total.failed > 0 || ranNothing ? 1 : 0;
