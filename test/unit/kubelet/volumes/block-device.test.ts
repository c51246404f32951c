import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { CommandResult } from '../../../../src/base/run-command.js';
import { findDevice, findLocalSource, formatDevice } from '../../../../src/kubelet/volumes/block-device.js';
import { createNsenterMounter } from '../../../../src/kubelet/volumes/mounter.js';
import { makeFakeMounter } from '../../../fakes/fake-mounter.js';

interface Case {
  readonly name: string;
  readonly blkid: Partial<CommandResult>;
  readonly more?: Readonly<Record<string, Partial<CommandResult>>>;
  readonly fsType?: string;
  readonly readOnly?: boolean;
  /** Programs that run after the probe. */
  readonly runs: readonly string[];
  readonly gives?: string;
  readonly error?: RegExp;
}

const blank = { exitCode: 2 };
const ext4 = { stdout: 'DEVNAME=/dev/d\nTYPE=ext4' };

const cases: readonly Case[] = [
  { name: 'blank: ext4', blkid: blank, runs: ['mkfs.ext4 -F -m0 /dev/d'], gives: 'ext4' },
  { name: 'blank, an empty type', blkid: blank, fsType: '', runs: ['mkfs.ext4 -F -m0 /dev/d'], gives: 'ext4' },
  { name: 'blank: another type', blkid: blank, fsType: 'xfs', runs: ['mkfs.xfs /dev/d'], gives: 'xfs' },
  {
    name: 'blank, only to be read',
    blkid: blank,
    readOnly: true,
    runs: [],
    error: /cannot mount unformatted disk \/dev\/d as we are manipulating it in read-only mode/,
  },
  { name: 'formatted: checked', blkid: ext4, runs: ['fsck -a /dev/d'], gives: 'ext4' },
  { name: 'formatted, only to be read', blkid: ext4, readOnly: true, runs: [], gives: 'ext4' },
  { name: 'another type than wanted', blkid: ext4, fsType: 'xfs', runs: ['fsck -a /dev/d'], gives: 'xfs' },
  { name: 'partitions', blkid: { stdout: 'PTTYPE=gpt' }, runs: ['fsck -a /dev/d'], gives: 'ext4' },
  {
    name: 'repaired',
    blkid: ext4,
    more: { fsck: { exitCode: 1, stdout: 'fixed' } },
    runs: ['fsck -a /dev/d'],
    gives: 'ext4',
  },
  {
    name: 'beyond repair',
    blkid: ext4,
    more: { fsck: { exitCode: 4, stdout: 'bad' } },
    runs: ['fsck -a /dev/d'],
    error: /'fsck' found errors on device \/dev\/d but could not correct them: bad/,
  },
  { name: 'in use', blkid: ext4, more: { fsck: { exitCode: 8 } }, runs: ['fsck -a /dev/d'], gives: 'ext4' },
  {
    name: 'could not be read, which is not blank',
    blkid: { exitCode: 2, stderr: 'error: /dev/d: Input/output error' },
    runs: [],
    error: /failed to get disk format of disk \/dev\/d: error: .*Input/,
  },
  { name: 'ambivalent', blkid: { exitCode: 8 }, runs: [], error: /blkid: exit 8/ },
  {
    name: 'a format that fails',
    blkid: blank,
    more: { 'mkfs.ext4': { exitCode: 1, stderr: 'too small' } },
    runs: ['mkfs.ext4 -F -m0 /dev/d'],
    error: /format of disk "\/dev\/d" as ext4 failed: too small/,
  },
];

for (const { name, blkid, more = {}, fsType, readOnly = false, runs, gives, error } of cases) {
  t.test(name, async (test) => {
    const mounter = makeFakeMounter();
    mounter.answers.set('blkid', blkid);
    for (const [program, answer] of Object.entries(more)) mounter.answers.set(program, answer);
    const done = formatDevice(mounter, { device: '/dev/d', fsType, readOnly });
    if (error) await test.rejects(done, { code: 'HostChangeFailed', message: error });
    else test.equal(await done, gives);
    test.same(mounter.commands, ['blkid -p -s TYPE -s PTTYPE -o export /dev/d', ...runs]);
  });
}

t.test('a type that is none runs nothing', async (test) => {
  const mounter = makeFakeMounter();
  const done = formatDevice(mounter, { device: '/dev/d', fsType: '/../../tmp/x', readOnly: false });
  await test.rejects(done, { code: 'InvalidConfig' });
  test.same(mounter.commands, []);
});

t.test('a host without fsck mounts all the same; without blkid it fails', async (test) => {
  const commands: string[] = [];
  let missing = 'fsck';
  const mounter = createNsenterMounter(async (file, args) => {
    commands.push([file, ...args].join(' '));
    const exitCode = args.includes(missing) ? 127 : 0;
    return { command: file, exitCode, stdout: 'TYPE=ext4', stderr: '' };
  }, '7');
  const request = { device: '/dev/d', fsType: undefined, readOnly: false };
  test.equal(await formatDevice(mounter, request), 'ext4');
  test.equal(commands[1], 'nsenter -t 7 -m -- fsck -a /dev/d');
  missing = 'blkid';
  await test.rejects(formatDevice(mounter, request), { code: 'NotFound', message: /the host has no program blkid/ });
});

t.test('what is neither a folder nor a block device', async (test) => {
  const dir = test.testdir();
  const file = join(dir, 'file');
  await writeFile(file, '');
  await test.rejects(findLocalSource('', file), {
    code: 'InvalidConfig',
    message: /only directory and block device are supported/,
  });
  await test.rejects(findLocalSource('', join(dir, 'none')), { code: 'NotFound' });
  await test.rejects(findLocalSource('', `${dir}/../x`), { code: 'InvalidConfig', message: /must not contain/ });
  test.match(await findLocalSource(dir, '/'), { path: '/', type: 'directory' });
  await test.rejects(findDevice('', dir), { code: 'InvalidConfig', message: /it is not a block device/ });
});
