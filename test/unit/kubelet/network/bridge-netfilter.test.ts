import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../../../src/base/logger.js';
import { ensureBridgeNetfilter } from '../../../../src/kubelet/network/bridge-netfilter.js';

t.test('the module is loaded where it is missing, the settings are set', async (t) => {
  const hostRoot = t.testdir({});
  const folder = join(hostRoot, 'proc/sys/net/bridge');
  const ran: string[] = [];
  let loads = true;
  const run = async (file: string, args: readonly string[]) => {
    ran.push([file, ...args].join(' '));
    if (!loads) throw new Error('no such program');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'bridge-nf-call-iptables'), '0\n');
    return { command: file, exitCode: 0, stdout: '', stderr: '' };
  };
  loads = false;
  t.equal(await ensureBridgeNetfilter({ hostRoot, run, logger: silentLogger }), false, 'a kernel without it');
  loads = true;
  t.equal(await ensureBridgeNetfilter({ hostRoot, run, logger: silentLogger }), true);
  t.equal(await readFile(join(folder, 'bridge-nf-call-iptables'), 'utf8'), '1\n');
  t.equal(await ensureBridgeNetfilter({ hostRoot, run, logger: silentLogger }), true);
  t.same(
    ran,
    Array(2).fill(`nsenter --root=${hostRoot} -- modprobe br_netfilter`),
    'once it is there it is not loaded again',
  );
});
