import { readFile } from 'node:fs/promises';
import t from 'tap';
import type { ContainerStats } from '../../../../src/docker/runtime-types.js';
import { createUsageCollector } from '../../../../src/kubelet/server/usage-collector.js';
import { startScene } from './server-scene.js';

t.test("a sandbox's network is counted by the engine, or where it has none, by the kernel", async (t) => {
  const { options, stop } = await startScene();
  t.teardown(stop);
  const { engine, host } = options;
  const [sandbox] = host.knownStatus({})?.sandboxes ?? [];
  if (!sandbox) throw new Error('the scene has no sandbox');
  const networksOf = async (networks: ContainerStats['networks'], change: Partial<typeof sandbox>) => {
    const stats = await engine.containerStats('any');
    if (!stats) throw new Error('the scene has no statistics');
    const status = host.knownStatus({});
    if (!status) throw new Error('the scene has no pod');
    const measure = createUsageCollector({
      ...options,
      engine: { ...engine, containerStats: async () => ({ ...stats, networks }) },
      host: { ...host, knownStatus: () => ({ ...status, sandboxes: [{ ...sandbox, ...change }] }) },
    });
    return (await measure()).pods[0]?.sandboxStats?.networks;
  };
  const counted = { eth0: { rxBytes: 5, rxErrors: 0, txBytes: 6, txErrors: 0 } };
  t.same(await networksOf(counted, { pid: process.pid }), counted);
  const names = [...(await readFile('/proc/self/net/dev', 'utf8')).matchAll(/^\s*(\S+):/gm)].map(([, name]) => name);
  const found = await networksOf({}, { pid: process.pid });
  t.same(Object.keys(found ?? {}).sort(), names.filter((name) => name !== 'lo').sort());
  t.same(await networksOf({}, { pid: process.pid, hostNetwork: true }), {}, "the host's are not the pod's");
  t.same(await networksOf({}, { pid: 2 ** 30 }), {}, 'one that has ended');
});
