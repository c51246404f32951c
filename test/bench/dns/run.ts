/**
 * `make bench-dns`: `hyperup dns` on one core against Debian's dnsperf on loopback, with 5,000 Services and 20,000
 * endpoints from a fake API server. Prints, last, a line `bench: …` for each measure; exit code 1 where a goal is missed.
 *
 * BENCH_SECONDS: how long each dnsperf run takes (5); there are two a round, and the median of three rounds counts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decode, encode } from 'dns-packet';
import { type FakeApiServer, sendJson, startFakeApiServer } from '../../fakes/fake-api-server.js';
import { createBenchProgram } from '../bench-program.js';
import { median } from '../measures.js';
import { type BenchService, benchServices, fillApiServer, nameOf, putSlice, queryLines } from './dns-scene.js';
import { ensureDnsperf, runDnsperf } from './dnsperf.js';

/** The server has a core to itself, dnsperf and the fake the other. */
const serverCpu = 1;
const clientCpu = 0;
const changeRounds = 20;
const rounds = 3;
const { say, throwIfInterrupted, finish } = createBenchProgram();

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
  readonly readyMs: number;
}

async function startServer(api: FakeApiServer, workDir: string): Promise<Server> {
  const kubeconfig = join(workDir, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText(api), { mode: 0o600 });
  const flags = ['--listen=127.0.0.1:0', '--upstream=127.0.0.1:9', '--http-address=127.0.0.1'];
  const ports = ['--health-port=0', '--ready-port=0', '--metrics-port=0'];
  const startedAt = performance.now();
  const program = join(process.cwd(), 'dist/cli/dns.js');
  const args = ['-c', String(serverCpu), process.execPath, program, `--kubeconfig=${kubeconfig}`, ...flags, ...ports];
  const child = spawn('taskset', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  let port: number | undefined;
  const ended = once(child, 'exit');
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
    port ??= Number(/Serving DNS.*127\.0\.0\.1:(\d+)/.exec(log)?.[1] ?? Number.NaN) || undefined;
  });
  while (port === undefined || !/\bReady\b/.test(log)) {
    const state = await Promise.race([ended.then(() => 'ended'), delay(20, 'waiting')]);
    if (state === 'ended' || performance.now() - startedAt > 60_000) {
      child.kill('SIGKILL');
      throw new Error(`hyperup dns did not get ready: ${log}`);
    }
  }
  return { child, port, readyMs: performance.now() - startedAt };
}

function kubeconfigText({ url, certificates }: FakeApiServer): string {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'bench',
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    clusters: [
      { name: 'bench', cluster: { server: url, 'certificate-authority-data': base64(certificates.authority.certPem) } },
    ],
    users: [{ name: 'bench', user: { token: 'bench' } }],
  });
}

/** What `/proc` says of the process now, in MB. */
async function memory(pid: number | undefined, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN) / 1024;
}

/** The address that a name has at this moment. */
async function ask(socket: Socket, port: number, name: string): Promise<readonly string[]> {
  const id = Math.floor(Math.random() * 0x10000);
  const answer = once(socket, 'message') as Promise<[Buffer]>;
  socket.send(encode({ type: 'query', id, questions: [{ type: 'A', name }] }), port, '127.0.0.1');
  const [message] = await answer;
  return (decode(message).answers ?? []).flatMap((record) => (record.type === 'A' ? [record.data] : []));
}

/** From a change that the API server took to the first answer that has it; the slowest of several. */
async function measureChange(api: FakeApiServer, port: number, service: BenchService): Promise<number> {
  const socket = createSocket('udp4');
  const times: number[] = [];
  for (let round = 1; round <= changeRounds; round += 1) {
    throwIfInterrupted();
    const address = `192.0.2.${round}`;
    putSlice(api, service, [address]);
    const startedAt = performance.now();
    while (!(await ask(socket, port, nameOf(service))).includes(address)) {
      if (performance.now() - startedAt > 10_000) throw new Error('a changed endpoint was not answered in 10 s');
      await delay(1);
    }
    times.push(performance.now() - startedAt);
    await delay(50);
  }
  socket.close();
  return Math.max(...times);
}

/** For how long the server was ready to run and its core was another's, in ms: no code of ours can help that. */
async function waitedMs(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[1]) / 1e6;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

await finish(async () => {
  const seconds = Number(process.env['BENCH_SECONDS'] ?? '') || 5;
  await ensureDnsperf();
  const workDir = await mkdtemp(join(tmpdir(), 'hyperup-bench-dns-'));
  const api = await startFakeApiServer();
  let server: Server | undefined;
  try {
    api.on('GET /apis/discovery.k8s.io/v1', (_request, response) =>
      sendJson(response, 200, { kind: 'APIResourceList' }),
    );
    const services = benchServices();
    say(`filling a fake API server: ${services.length} Services`);
    fillApiServer(api, services);
    const queriesPath = join(workDir, 'queries');
    await writeFile(queriesPath, queryLines(services));
    server = await startServer(api, workDir);
    const { child, port } = server;
    const loaded = await memory(child.pid, 'VmRSS');
    say(`ready after ${Math.round(server.readyMs)} ms; ${loaded.toFixed(1)} MB with all loaded`);

    const changing = services.findLast((service) => service.headless);
    if (changing === undefined) throw new Error('no headless Service to change');
    const change = await measureChange(api, port, changing);
    say(`a change is answered after ${change.toFixed(1)} ms at most in ${changeRounds} rounds`);
    throwIfInterrupted();

    const perf = { port, queriesPath, outputPath: join(workDir, 'dnsperf'), seconds, cpu: clientCpu };
    const [rates, p99s]: [number[], number[]] = [[], []];
    let [lost, sent] = [0, 0];
    for (let round = 1; round <= rounds; round += 1) {
      throwIfInterrupted();
      const most = await runDnsperf(perf);
      throwIfInterrupted();
      const waitedBefore = await waitedMs(child.pid);
      const timed = await runDnsperf({ ...perf, rate: 25_000, latencies: true });
      const waited = (await waitedMs(child.pid)) - waitedBefore;
      const [p50, p99] = [quantile(timed.latencies, 0.5), quantile(timed.latencies, 0.99)];
      say(`dnsperf, round ${round} of ${rounds}: ${Math.round(most.queriesPerSecond)}/s as fast as it goes`);
      say(
        `  at 25,000/s: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms; ${waited.toFixed(0)} ms without its core`,
      );
      rates.push(most.queriesPerSecond);
      p99s.push(p99);
      lost += most.lost + timed.lost;
      sent += most.sent + timed.sent;
    }
    const peak = Math.max(loaded, await memory(child.pid, 'VmRSS'));
    say(
      `memory: ${loaded.toFixed(1)} MB loaded, ${(await memory(child.pid, 'VmRSS')).toFixed(1)} MB after the queries, ${(await memory(child.pid, 'VmHWM')).toFixed(1)} MB at its highest`,
    );

    const measures = [
      { name: 'dns-queries', value: Math.round(median(rates)), unit: '/s', goal: 25_000, sign: '>=' },
      { name: 'dns-p99', value: Number(median(p99s).toFixed(2)), unit: 'ms', goal: 5, sign: '<=' },
      { name: 'dns-memory', value: Number(peak.toFixed(1)), unit: 'MB', goal: 120, sign: '<=' },
      { name: 'dns-change', value: Number(change.toFixed(1)), unit: 'ms', goal: 200, sign: '<=' },
    ] as const;
    for (const { name, value, unit, goal, sign } of measures) {
      process.stdout.write(`bench: ${name} value=${value}${unit} goal${sign}${goal}\n`);
    }
    // A query that nobody answered is in no latency.
    const lostShare = lost / sent;
    if (lostShare > 0.001) say(`${(lostShare * 100).toFixed(2)} % of the queries were lost: at most 0.1 % may be`);
    const met = measures.every(({ value, goal, sign }) => (sign === '>=' ? value >= goal : value <= goal));
    return met && lostShare <= 0.001 ? 0 : 1;
  } finally {
    if (server !== undefined && server.child.exitCode === null) {
      const ended = once(server.child, 'exit');
      server.child.kill('SIGTERM');
      await ended;
    }
    await api.close();
    await rm(workDir, { recursive: true, force: true });
  }
});
