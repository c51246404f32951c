import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { askAnonymously, isOpen } from '../support/https-probe.js';

interface Door {
  readonly port: number;
  readonly paths: readonly string[];
  /** What somebody without credentials may be told there. */
  readonly answers: readonly number[];
}

const doors: readonly Door[] = [
  { port: 6443, paths: ['/healthz', '/livez', '/readyz', '/livez/ping'], answers: [200] },
  {
    port: 6443,
    paths: ['/', '/api', '/apis', '/version', '/metrics', '/openapi/v2', '/api/v1/secrets', '/logs', '/debug/pprof'],
    answers: [401, 403],
  },
  {
    port: 10250,
    paths: [
      '/pods',
      '/runningpods/',
      '/stats/summary',
      '/metrics',
      '/metrics/cadvisor',
      '/configz',
      '/logs/',
      '/exec/a/b/c',
    ],
    answers: [401, 403],
  },
  { port: 10257, paths: ['/metrics', '/configz', '/debug/pprof'], answers: [401, 403] },
  { port: 10259, paths: ['/metrics', '/configz', '/debug/pprof'], answers: [401, 403] },
];

/** Doors without TLS, which older clusters left open. */
const plainPorts = [8080, 10251, 10252, 10255, 4194];

/** Without credentials there are health endpoints and nothing else. */
export async function anonymousGetsNothing(t: Test, nodeAddress: string): Promise<void> {
  const hosts = [nodeAddress, '127.0.0.1'];
  for (const { port, paths, answers } of doors) {
    for (const host of hosts) {
      if (!(await isOpen(host, port))) {
        t.not(port, 6443, `${host}:${port} is closed: only what pods and users need is open to all`);
        continue;
      }
      for (const path of paths) {
        const got = await askAnonymously(`https://${host}:${port}${path}`);
        t.ok(typeof got === 'number' && answers.includes(got), `${host}:${port}${path}: ${got}, want ${answers}`);
      }
    }
  }
  for (const port of [10250, 10257, 10259]) t.equal(await isOpen('127.0.0.1', port), true, `${port} was asked`);
  for (const host of hosts) {
    for (const port of plainPorts) t.equal(await isOpen(host, port), false, `${host}:${port} is closed`);
  }
  for (const [port, path] of [
    [2379, '/version'],
    [2379, '/health'],
    [2380, '/members'],
  ] as const) {
    const got = await askAnonymously(`https://127.0.0.1:${port}${path}`);
    t.match(got, /certificate|alert|ECONNRESET|hang up/i, `etcd ends the handshake on ${port}${path}: ${got}`);
  }
}

const pods = '/var/lib/kubelet/pods';

/** Files below a folder, without the pods' volumes. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (path === pods) return [];
    const stats = lstatSync(path);
    if (stats.isDirectory()) return filesBelow(path);
    return stats.isFile() && stats.size < 1024 * 1024 ? [path] : [];
  });
}

/** Every file that holds a private key is its owner's alone. */
export function keysArePrivate(t: Test, kubeconfig: string): void {
  const files = ['/etc/kubernetes', '/var/lib/hyperup', '/var/lib/kubelet'].flatMap(filesBelow);
  const secret = /PRIVATE KEY|client-key-data/;
  const keys = [kubeconfig, ...files].filter((path) => secret.test(readFileSync(path, 'latin1')));
  t.ok(keys.length >= 10, `keys were found: ${keys.length}`);
  for (const path of keys) {
    const { mode, uid } = lstatSync(path);
    t.same({ mode: (mode & 0o7777).toString(8), uid }, { mode: '600', uid: 0 }, path);
  }
}
