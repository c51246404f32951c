import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import t from 'tap';
import { readMachineFacts } from '../../../../src/kubelet/node/machine-facts.js';

t.test("the host's files, this kernel's amounts", async (t) => {
  const root = t.testdir({
    etc: { 'machine-id': '0123abc\n', 'os-release': 'NAME=X\nPRETTY_NAME="Test OS 1 (one)"\nID=x\n' },
  });
  const facts = await readMachineFacts(root, root);
  t.match(facts, { machineId: '0123abc', osImage: 'Test OS 1 (one)' });
  t.equal(facts.memoryBytes, totalmem());
  t.ok(facts.cpus >= 1 && facts.kernelVersion !== '' && facts.systemUuid !== '');
  const disk = await statfs(root);
  t.equal(facts.diskBytes, disk.blocks * disk.bsize);
});

t.test('what a bare host lacks', async (t) => {
  const root = t.testdir({ var: { lib: { dbus: { 'machine-id': 'of-dbus' } } } });
  const facts = await readMachineFacts(root, `${root}/absent`);
  t.match(facts, { machineId: 'of-dbus', osImage: 'Linux', diskBytes: 0 });
});
