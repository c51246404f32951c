import { spawn } from 'node:child_process';
import { open, readFile, stat } from 'node:fs/promises';
import { runCommand } from '../../../src/host/run-command.js';

export interface DnsperfRun {
  readonly queriesPerSecond: number;
  readonly lost: number;
  readonly sent: number;
  /** In ms, ascending; only where they were asked for. */
  readonly latencies: readonly number[];
}

export interface DnsperfOptions {
  readonly port: number;
  readonly queriesPath: string;
  /** What it prints goes there. */
  readonly outputPath: string;
  readonly seconds: number;
  /** The CPU that it runs on. */
  readonly cpu: number;
  /** At most so many a second; as many as are answered where undefined. */
  readonly rate?: number | undefined;
  readonly latencies?: boolean | undefined;
}

/** Puts Debian's dnsperf on the machine where it is not there. */
export async function ensureDnsperf(): Promise<void> {
  if (
    await stat('/usr/bin/dnsperf').then(
      () => true,
      () => false,
    )
  )
    return;
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: 300_000 };
  for (const args of [
    ['-q', 'update'],
    ['-q', '-y', '--no-install-recommends', 'install', 'dnsperf'],
  ]) {
    const { exitCode, stderr } = await runCommand('apt-get', args, options);
    if (exitCode !== 0) throw new Error(`apt-get ${args.join(' ')}: ended with ${exitCode}: ${stderr}`);
  }
}

/** One run over loopback with 8 clients, all from one process. Throws where dnsperf fails or says nothing of use. */
export async function runDnsperf(options: DnsperfOptions): Promise<DnsperfRun> {
  const { port, queriesPath, outputPath, seconds, cpu, rate, latencies = false } = options;
  const args = ['-s', '127.0.0.1', '-p', String(port), '-d', queriesPath, '-l', String(seconds), '-c', '8', '-T', '1'];
  args.push('-q', '100');
  if (rate !== undefined) args.push('-Q', String(rate));
  if (latencies) args.push('-v');
  // Into a file: whoever read along would take the server's time away from it.
  const output = await open(outputPath, 'w+');
  let code: number | null;
  let text: string;
  try {
    const stdio = ['ignore', output.fd, output.fd] as const;
    const child = spawn('taskset', ['-c', String(cpu), 'dnsperf', ...args], { stdio: [...stdio] });
    code = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    text = await readFile(outputPath, 'utf8');
  } finally {
    await output.close();
  }
  // `> NOERROR name A 0.000123`
  const values = [...text.matchAll(/^> .* ([\d.]+)$/gm)].map((match) => Number(match[1]) * 1000);
  const tail = text.slice(-4000);
  const figure = (pattern: RegExp) => Number(pattern.exec(tail)?.[1] ?? Number.NaN);
  const run = {
    queriesPerSecond: figure(/Queries per second:\s+([\d.]+)/),
    lost: figure(/Queries lost:\s+(\d+)/),
    sent: figure(/Queries sent:\s+(\d+)/),
    latencies: values.sort((a, b) => a - b),
  };
  if (code !== 0 || Number.isNaN(run.queriesPerSecond)) {
    throw new Error(`dnsperf ended with ${code}: ${tail}`);
  }
  return run;
}
