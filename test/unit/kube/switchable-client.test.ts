import t from 'tap';
import type { KubeClient } from '../../../src/kube/kube-client-types.js';
import { resources } from '../../../src/kube/resource-ref.js';
import { createSwitchableClient } from '../../../src/kube/switchable-client.js';

function makeClient(name: string, calls: string[]): KubeClient {
  const client: Partial<KubeClient> = {
    async find() {
      calls.push(`${name} find`);
      return undefined;
    },
    async *watch<T>() {
      calls.push(`${name} watch`);
      yield { type: 'DELETED', object: { name } as T };
    },
    async *followLog() {
      yield name;
    },
    async close() {
      calls.push(`${name} close`);
    },
  };
  return client as KubeClient;
}

t.test('before there are credentials every call is as one to a server that is away', async (t) => {
  const client = createSwitchableClient();
  t.notOk(client.isReady());
  const want = { code: 'ApiFailed', details: { reason: 'Unreachable' } };
  await t.rejects(client.find(resources.nodes, { name: 'n' }), want);
  await t.rejects(client.version(), want);
  await t.rejects(client.watch(resources.nodes).next(), want, 'a watch with its first step');
  await t.rejects(client.followLog({ name: 'p' }).next(), want);
  await client.close();
});

t.test('calls go to the newest, the former is closed', async (t) => {
  const calls: string[] = [];
  const client = createSwitchableClient();
  await client.use(makeClient('a', calls));
  t.ok(client.isReady());
  await client.find(resources.nodes, { name: 'n' });
  await client.use(makeClient('b', calls));
  await client.find(resources.nodes, { name: 'n' });
  for await (const event of client.watch(resources.nodes)) t.match(event, { object: { name: 'b' } });
  for await (const line of client.followLog({ name: 'p' })) t.equal(line, 'b');
  await client.close();
  t.strictSame(calls, ['a find', 'a close', 'b find', 'b watch', 'b close']);
});

t.test('one that comes after the end is closed at once', async (t) => {
  const calls: string[] = [];
  const client = createSwitchableClient();
  await client.close();
  await client.use(makeClient('late', calls));
  t.strictSame(calls, ['late close']);
  t.notOk(client.isReady());
});
