import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import type { RunCommand } from '../../../src/base/run-command.js';
import type { Host } from '../../../src/host/host.js';
import { makeTempDir, succeed } from './support.js';

export interface FakeMount {
  readonly id: number;
  readonly parent: number;
  readonly device: string;
  readonly root: string;
  readonly point: string;
  shared: boolean;
}

export interface FakeMounts {
  readonly host: Host;
  readonly mounts: FakeMount[];
  /** `mount …` and `umount …` as they were run. */
  readonly commands: string[];
  /** Mount points that only a lazy unmount removes; `stuck` ones not even that. */
  readonly busy: Set<string>;
  readonly stuck: Set<string>;
  add(point: string, options?: { readonly device?: string; readonly root?: string; readonly shared?: boolean }): void;
}

/** A kernel's mount table with the mount and umount programs working on it; `/` is there from the start. */
export async function makeFakeMounts(t: Test): Promise<FakeMounts> {
  const root = await makeTempDir(t);
  const file = join(root, '/proc/self/mountinfo');
  await mkdir(dirname(file), { recursive: true });
  const mounts: FakeMount[] = [];
  const commands: string[] = [];
  const busy = new Set<string>();
  const stuck = new Set<string>();
  let nextId = 20;

  const save = () => {
    const lines = mounts.map(
      ({ id, parent, device, root: source, point, shared }) =>
        `${id} ${parent} ${device} ${source} ${point} rw,relatime ${shared ? `shared:${id} ` : ''}- ext4 /dev/${device} rw`,
    );
    writeFileSync(file, `${lines.join('\n')}\n`);
  };
  const top = (point: string) => mounts.findLast((mount) => mount.point === point);
  const above = (path: string) =>
    mounts
      .filter(({ point }) => path === point || path.startsWith(point === '/' ? '/' : `${point}/`))
      .reduce<FakeMount | undefined>(
        (best, mount) => (best && best.point.length > mount.point.length ? best : mount),
        undefined,
      );
  const add: FakeMounts['add'] = (point, options = {}) => {
    const { device = '8:1', root: source = '/', shared = false } = options;
    mounts.push({ id: nextId, parent: above(point)?.id ?? 1, device, root: source, point, shared });
    nextId += 1;
    save();
  };
  const bind = (path: string) => {
    const parent = above(path);
    if (!parent) throw new Error(`nothing mounted above ${path}`);
    const below = parent.point === '/' ? path : path.slice(parent.point.length);
    add(path, { device: parent.device, root: `${parent.root === '/' ? '' : parent.root}${below}` || '/' });
  };
  const run: RunCommand = async (program, args) => {
    commands.push([program, ...args].join(' '));
    const point = args.at(-1) ?? '';
    const fail = { command: `${program} ${args.join(' ')}`, exitCode: 32, stdout: '', stderr: `${point}: refused` };
    if (program === 'mount') {
      if (args[0] === '--bind') bind(point);
      const found = top(point);
      if (args[0] === '--make-rshared' && found) found.shared = true;
      else if (!found) return fail;
    } else if (program === 'umount') {
      const found = top(point);
      if (!found || stuck.has(point) || (busy.has(point) && args[0] !== '-l')) return fail;
      mounts.splice(mounts.indexOf(found), 1);
    } else throw new Error(`not scripted: ${program}`);
    save();
    return succeed();
  };
  add('/');
  return { host: { root, run }, mounts, commands, busy, stuck, add };
}
