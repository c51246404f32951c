import type { Test } from 'tap';
import { runCli } from '../support/cli.js';
import { cliJson, type StatusView } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { outputOf } from '../support/program.js';

export const components = [
  'kubelet',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
] as const;

/** Each component is up, and says what a user wants to know of it. */
export function allUp(t: Test, status: StatusView): void {
  t.match(status, { installed: true, healthy: true });
  for (const name of components) {
    const found = status.components.find(({ component }) => component === name);
    t.match(found, { state: 'up', pid: Number, ports: [Number], restarts: Number, ageMs: Number }, `${name} is up`);
    t.ok((found?.pid ?? 0) > 1, `${name} has a process`);
    t.ok((found?.ageMs ?? -1) >= 0 && (found?.ageMs ?? 0) < 3_600_000, `${name} has an age: ${found?.ageMs}`);
    const version = { etcd: /^3\.4\./, 'kube-proxy': undefined }[name as string] ?? /^v1\.20\.2$/;
    if (name !== 'kube-proxy') t.match(found?.version, version, `${name} tells its version`);
  }
  const dns = status.components.find(({ component }) => component === 'dns');
  t.match(dns, { state: 'up', message: /10\.96\.0\.10/, pid: Number, ports: [53, 9153] }, 'so is the DNS server');
  const node = status.components.find(({ component }) => component === 'node');
  t.match(node, { state: 'up', message: /Ready/, version: 'v1.20.2' });
}

export async function statusNow(): Promise<{ readonly exitCode: number; readonly status: StatusView }> {
  const { exitCode, line } = await cliJson<StatusView>(['status']);
  return { exitCode, status: line.result };
}

const find = (status: StatusView, name: string) => status.components.find(({ component }) => component === name);

export async function untilHealthy(what: string): Promise<StatusView> {
  return await eventually(
    what,
    async () => {
      const { exitCode, status } = await statusNow();
      if (exitCode === 0) return { done: true, value: status };
      const down = status.components.filter(({ state }) => state !== 'up');
      return { done: false, reason: down.map(({ component, message }) => `${component}: ${message}`).join('; ') };
    },
    90_000,
  );
}

/** The running container of a static pod's component. */
async function containerOf(component: string): Promise<string> {
  const filters = [`io.kubernetes.container.name=${component}`, 'io.kubernetes.docker.type=container'];
  return (await outputOf('docker', ['ps', '-q', ...filters.flatMap((label) => ['--filter', `label=${label}`])])).trim();
}

/** A component that is killed comes back, counted as a restart. */
export async function killedComponentComesBack(t: Test): Promise<void> {
  const before = find((await statusNow()).status, 'kube-scheduler');
  await outputOf('docker', ['kill', await containerOf('kube-scheduler')]);
  const restarted = await eventually(
    'the scheduler to be restarted',
    async () => {
      const { exitCode, status } = await statusNow();
      const now = find(status, 'kube-scheduler');
      const isBack = exitCode === 0 && now?.pid !== before?.pid;
      return isBack ? { done: true, value: now } : { done: false, reason: JSON.stringify(now) };
    },
    90_000,
  );
  t.equal(restarted?.restarts, (before?.restarts ?? 0) + 1, 'the restart is counted');
}

/**
 * With the kubelet stopped nothing brings a killed component back: `status` fails and names both, to people and to
 * programs, and shows the dead one's log.
 */
export async function statusNamesWhatIsDown(t: Test, kubelet: string): Promise<void> {
  await outputOf('docker', ['stop', '--time', '5', kubelet]);
  t.teardown(() => outputOf('docker', ['start', kubelet]));
  await outputOf('docker', ['kill', await containerOf('kube-scheduler')]);
  const { exitCode, status } = await statusNow();
  t.equal(exitCode, 1, 'the exit code says that something is down');
  const down = status.components.filter(({ state }) => state !== 'up').map(({ component }) => component);
  t.same(down.filter((name) => name !== 'node').sort(), ['kube-scheduler', 'kubelet'], 'and no more than is');
  t.match(find(status, 'kube-scheduler')?.lastLog, [/\S/], 'the log of what died is shown');
  t.equal(find(status, 'kube-scheduler')?.pid, undefined, 'it has no process');
  const text = await runCli(['status'], { timeoutMs: 60_000 });
  t.equal(text.exitCode, 1);
  t.match(text.stdout, /not healthy/);
  t.match(text.stdout, /^kubelet +down/m);
  t.match(text.stdout, /^kube-scheduler +down/m);
  t.match(text.stdout, /^etcd +up/m);
  const verified = await cliJson<StatusView>(['verify']);
  t.equal(verified.exitCode, 1, 'so does verify');
  t.match(find(verified.line.result, 'smoke'), { state: 'unknown' }, 'which runs no pod then');
}
