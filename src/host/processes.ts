import { type Host, listHostDir, readHostText } from './host.js';

export interface HostProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly comm: string;
  /** Empty for a kernel thread. */
  readonly cmdline: readonly string[];
  /** Clock ticks since boot; with the pid it names a process for ever. */
  readonly startTime: string;
  /** Cgroup paths, one a hierarchy, as /proc/<pid>/cgroup has them. */
  readonly cgroups: readonly string[];
}

/** The processes of this PID namespace. One that ends while the table is read is left out. */
export async function listProcesses(host: Pick<Host, 'root'>): Promise<readonly HostProcess[]> {
  const pids = (await listHostDir(host, '/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => readProcess(host, pid)));
  return found.filter((process) => process !== undefined).sort((a, b) => a.pid - b.pid);
}

/** One process, or undefined where it is gone. */
export async function readProcess(host: Pick<Host, 'root'>, pid: number): Promise<HostProcess | undefined> {
  const [stat, cmdline, cgroup] = await Promise.all([
    readHostText(host, `/proc/${pid}/stat`),
    readHostText(host, `/proc/${pid}/cmdline`),
    readHostText(host, `/proc/${pid}/cgroup`),
  ]);
  if (stat === undefined) return undefined;
  // The name stands in brackets and may hold spaces and brackets itself: proc(5).
  const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const words = (cmdline ?? '').split('\0');
  if (words.at(-1) === '') words.pop();
  return {
    pid,
    parentPid: Number(fields[1]),
    comm,
    cmdline: words,
    startTime: fields[19] ?? '',
    cgroups: (cgroup ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(':').slice(2).join(':')),
  };
}

/** The processes of one container, found by its full id in their cgroups' paths. */
export function processesOfContainer(processes: readonly HostProcess[], containerId: string): readonly HostProcess[] {
  return processes.filter((process) => process.cgroups.some((path) => path.includes(containerId)));
}

/** A process and all that it started, as pids. */
export function processTree(processes: readonly HostProcess[], rootPid: number): ReadonlySet<number> {
  const tree = new Set([rootPid]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parentPid } of processes) {
      if (tree.has(parentPid) && !tree.has(pid)) {
        tree.add(pid);
        grown = true;
      }
    }
  }
  return tree;
}
