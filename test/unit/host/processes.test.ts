import t from 'tap';
import { listProcesses, processesOfContainer, processTree, readProcess } from '../../../src/host/processes.js';
import { makeHost } from './support.js';

const id = 'a'.repeat(64);
const stat = (pid: number, comm: string, parent: number) =>
  `${pid} (${comm}) S ${parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${pid}00 0 0\n`;
const files = {
  '/proc/1/stat': stat(1, 'init', 0),
  '/proc/1/cmdline': '/sbin/init\0',
  '/proc/1/cgroup': '0::/\n',
  '/proc/20/stat': stat(20, 'tmux: (a) b', 1),
  '/proc/20/cmdline': 'tmux\0new session\0',
  '/proc/20/cgroup': `9:name=systemd:/docker/${id}\n4:memory:/docker/${id}\n0::/\n`,
  '/proc/30/stat': stat(30, 'kworker/0:1', 2),
  '/proc/30/cmdline': '',
  '/proc/40/stat': stat(40, 'child', 20),
  '/proc/40/cmdline': 'child\0\0last is empty\0\0',
  '/proc/40/cgroup': '',
  '/proc/50/cmdline': 'ended while it was read',
  '/proc/version': 'Linux',
};

t.test('the table', async (t) => {
  const processes = await listProcesses(await makeHost(t, files));
  t.same(
    processes.map(({ pid, comm, parentPid, startTime }) => [pid, comm, parentPid, startTime]),
    [
      [1, 'init', 0, '100'],
      [20, 'tmux: (a) b', 1, '2000'],
      [30, 'kworker/0:1', 2, '3000'],
      [40, 'child', 20, '4000'],
    ],
  );
  t.same(
    processes.map(({ cmdline }) => cmdline),
    [['/sbin/init'], ['tmux', 'new session'], [], ['child', '', 'last is empty', '']],
  );
  t.same(processes[1]?.cgroups, [`/docker/${id}`, `/docker/${id}`, '/']);
  t.same(
    processesOfContainer(processes, id).map(({ pid }) => pid),
    [20],
  );
  t.same(processesOfContainer(processes, 'b'.repeat(64)), []);
  t.same([...processTree(processes, 20)], [20, 40]);
});

t.test('one that is gone', async (t) => {
  const host = await makeHost(t, files);
  t.equal(await readProcess(host, 50), undefined);
  t.equal(await readProcess(host, 60), undefined);
});
