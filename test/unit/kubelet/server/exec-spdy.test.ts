import { PassThrough } from 'node:stream';
import t from 'tap';
import type { ServerEngine } from '../../../../src/kubelet/server/server-types.js';
import { makeContainer, makeFakeEngine, startScene, until, upgrade, upgraded } from './server-scene.js';

const exec = (query: string) => `/exec/ns/web/app?${query}`;

void t.test('answers before the upgrade', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const cases = [
    { name: 'no stream', path: exec('command=cat'), status: 400, body: /at least 1 of stdin/ },
    { name: 'no pod', path: '/exec/ns/none/app?command=cat&output=1', status: 404, body: /pod does not exist/ },
    {
      name: 'another uid',
      path: '/exec/ns/web/uid-2/app?command=cat&output=1',
      status: 404,
      body: /pod does not exist/,
    },
    {
      name: 'no container',
      path: '/exec/ns/web/x?command=a&output=1',
      status: 404,
      body: /^container not found \("x"\)$/,
    },
    { name: 'no protocol', path: exec('command=a&output=1'), protocols: '', status: 400, body: /is required/ },
    { name: 'unknown protocol', path: exec('command=a&output=1'), protocols: 'v9', status: 403, body: /negotiate/ },
    { name: 'not upgradable', path: '/nothing', status: 404, body: /not found/ },
  ];
  for (const { name, path, protocols, status, body } of cases) {
    const result = await upgrade(scene.port, path, protocols);
    t.match(result, { status, body }, name);
  }
});

void t.test("chooses the client's first known protocol", async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const result = await upgrade(scene.port, exec('command=exit&output=1'), 'v9.x, v3.channel.k8s.io,v4.channel.k8s.io');
  t.match(result, { protocol: 'v3.channel.k8s.io' });
});

void t.test('1 MiB both ways, half-close, status last', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const client = await upgraded(scene.port, '/exec/ns/web/uid-1/app?command=cat&input=1&output=1&error=1');
  const error = await client.open({ streamtype: 'error' });
  const stdin = await client.open({ streamtype: 'stdin' });
  const stdout = await client.open({ streamtype: 'stdout' });
  const stderr = await client.open({ streamtype: 'stderr' });
  t.same(await Promise.all([error, stdin, stdout, stderr].map((stream) => stream.replied)), [0, 0, 0, 0]);
  client.ping(1);
  client.ping(2);
  const sent = Buffer.alloc(1 << 20, 'abcdefghijklmnop');
  await stdin.write(sent, true);
  t.ok((await stdout.ended).equals(sent), 'all of it came back');
  t.same(JSON.parse((await error.ended).toString()), { metadata: {}, status: 'Success' });
  t.same((await stderr.ended).length, 0);
  t.same(client.pings, [1], "a ping of the client's is echoed");
  t.ok(scene.execs[0]?.stdinEnded);
  client.socket.end();
});

void t.test('statuses', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const message = 'command terminated with non-zero exit code: Error executing in Docker Container: 3';
  const cases = [
    {
      name: 'an exit code',
      query: 'command=exit&command=3',
      protocol: 'v4.channel.k8s.io',
      want: JSON.stringify({
        metadata: {},
        status: 'Failure',
        message,
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: '3' }] },
      }),
    },
    { name: 'an exit code as text', query: 'command=exit&command=3', protocol: 'v2.channel.k8s.io', want: message },
    { name: 'success is silent in v1', query: 'command=exit&command=0', protocol: 'channel.k8s.io', want: '' },
    {
      name: 'a program that cannot start',
      query: 'command=fail',
      protocol: 'v3.channel.k8s.io',
      want: 'Internal error occurred: error executing command in container: no such program',
    },
  ];
  for (const { name, query, protocol, want } of cases) {
    const client = await upgraded(scene.port, exec(`${query}&output=1`), protocol);
    const error = await client.open({ streamtype: 'error' });
    await client.open({ streamtype: 'stdout' });
    t.equal((await error.ended).toString(), want, name);
    client.socket.end();
  }
});

void t.test('a terminal: resize, no stderr', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const client = await upgraded(scene.port, exec('command=hang&input=1&output=1&error=1&tty=1'));
  for (const streamtype of ['error', 'stdin', 'stdout']) await client.open({ streamtype });
  const resize = await client.open({ streamtype: 'resize' });
  await resize.write('{"Width":80,"Hei');
  await resize.write('ght":24}');
  await until(() => scene.execs[0]?.sizes.length === 1);
  t.same(scene.execs[0]?.sizes, [{ width: 80, height: 24 }]);
  t.equal(scene.execs[0]?.spec.tty, true);
  client.socket.destroy();
  await until(() => scene.execs[0]?.destroyed === true && scene.execs[0].stdinEnded);
});

void t.test('streams that never come end the connection', async (t) => {
  const scene = await startScene({ streamCreationTimeoutMs: 20 });
  t.teardown(scene.stop);
  const client = await upgraded(scene.port, exec('command=cat&input=1&output=1'));
  const error = await client.open({ streamtype: 'error' });
  await error.ended;
  t.equal(scene.execs.length, 0);
});

void t.test("attach goes by the container's own terminal and stdin", async (t) => {
  const calls: unknown[] = [];
  const stdout = new PassThrough();
  const engine: ServerEngine = {
    ...makeFakeEngine().engine,
    async attachContainer(id, streams) {
      calls.push([id[0], streams]);
      const ended = new Promise<void>((resolve) => stdout.once('end', () => resolve()));
      return { stdin: undefined, stdout, stderr: new PassThrough().end(), ended, destroy: () => {} };
    },
    resizeContainer: async (_id, size) => void calls.push(size),
  };
  const scene = await startScene({ engine, container: makeContainer({ tty: true, openStdin: false }) });
  t.teardown(scene.stop);
  const client = await upgraded(scene.port, '/attach/ns/web/app?input=1&output=1&tty=1');
  const error = await client.open({ streamtype: 'error' });
  await client.open({ streamtype: 'stdin' });
  const output = await client.open({ streamtype: 'stdout' });
  const resize = await client.open({ streamtype: 'resize' });
  await resize.write('{"Width":1,"Height":2}{"Width":3,"Height":4}');
  await until(() => calls.length === 2);
  stdout.end('bye');
  t.equal((await output.ended).toString(), 'bye');
  t.match((await error.ended).toString(), /Success/);
  t.same(calls, [['c', { stdin: false, tty: true }], { width: 3, height: 4 }]);
  client.socket.end();
});
