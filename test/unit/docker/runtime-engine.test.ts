import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { json, type ScriptedEngine, startScriptedEngine } from './scripted-engine.js';

const inspection = {
  Id: 'c',
  Name: '/name',
  Created: '2024-05-01T10:00:00.123456789Z',
  Path: '/x',
  Image: 'sha256:i',
  State: { Status: 'created', StartedAt: '0001-01-01T00:00:00Z', FinishedAt: '0001-01-01T00:00:00Z' },
  Config: { Image: 'x:1', Labels: null, OpenStdin: true },
  HostConfig: { NetworkMode: 'default' },
  NetworkSettings: {
    IPAddress: '10.9.9.9',
    Networks: {
      bridge: { IPAddress: '172.17.0.2', GlobalIPv6Address: 'fd00::2' },
      other: { IPAddress: '10.1.0.3', GlobalIPv6Address: '' },
      none: null,
    },
  },
};

t.test('an inspection: times, addresses of networks alone, what is absent', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/json', json(inspection), json({ ...inspection, NetworkSettings: { Networks: null } }));
  server.on('GET /containers/gone/json', json({ message: 'No such container: gone' }, 404));
  const engine = await server.connectRuntime();
  test.same(await engine.inspectContainer('c'), {
    id: 'c',
    name: 'name',
    imageId: 'sha256:i',
    imageName: 'x:1',
    labels: {},
    status: 'created',
    pid: 0,
    exitCode: 0,
    error: '',
    oomKilled: false,
    createdAtMs: Date.parse('2024-05-01T10:00:00.123Z'),
    startedAtMs: 0,
    finishedAtMs: 0,
    logPath: '',
    resolvConfPath: '',
    networkMode: 'default',
    ips: ['172.17.0.2', '10.1.0.3', 'fd00::2'],
    tty: false,
    openStdin: true,
    stdinOnce: false,
  });
  test.same((await engine.inspectContainer('c'))?.ips, []);
  test.equal(await engine.inspectContainer('gone'), undefined);
});

t.test('who has the name is in the error', async (test) => {
  const server = await startScriptedEngine(test);
  const message = 'Conflict. The container name "/a" is already in use by container "0c1d". You have to remove it.';
  server.on('POST /containers/create', json({ message }, 409), json({ message: 'No such image: x:1' }, 404));
  const engine = await server.connectRuntime();
  const body = { Image: 'x:1', HostConfig: {} };
  await test.rejects(engine.createContainer('a', body), { code: 'Conflict', details: { containerId: '0c1d' } });
  await test.rejects(engine.createContainer('a', body), { code: 'NotFound' });
  test.match(server.requests.at(-1), '/containers/create?name=a');
});

t.test('calls that are quiet where nothing runs', async (test) => {
  const server = await startScriptedEngine(test);
  const notThere = json({ message: 'No such container: c' }, 404);
  const stopped = json({ message: 'Cannot kill container: c: Container c is not running' }, 409);
  server.on('POST /containers/c/kill', notThere, stopped, json({ message: 'oops' }, 500));
  server.on('POST /containers/c/stop', notThere, (_, response) => response.writeHead(304).end());
  const engine = await server.connectRuntime();
  await engine.killContainer('c', 'SIGTERM');
  await engine.killContainer('c', 'SIGTERM');
  await test.rejects(engine.killContainer('c', 'SIGTERM'), { code: 'EngineFailed' });
  await engine.stopContainer('c', 1.2);
  await engine.stopContainer('c', -1);
  test.match(server.requests.slice(-2), [/stop\?t=2$/, /stop\?t=0$/]);
});

t.test('images: of the list, and their room by API version', async (test) => {
  const cases = [
    { api: '1.41', want: 30 },
    { api: '1.44', df: { LayersSize: 25 }, want: 25 },
    { api: '1.52', df: { ImageUsage: { TotalSize: 24 } }, want: 24 },
    { api: '1.52', df: {}, want: 30 },
  ];
  for (const { api, df, want } of cases) {
    const server = await startScriptedEngine(test);
    server.on('GET /version', json({ Version: 'x', ApiVersion: api, MinAPIVersion: '1.24' }));
    server.on(
      'GET /images/json',
      json([
        { Id: 'sha256:a', RepoTags: ['a:1'], RepoDigests: ['a@sha256:1'], Size: 10, Created: 1700000000 },
        { Id: 'sha256:b', RepoTags: ['<none>:<none>'], RepoDigests: null, Size: 20, Created: 1700000001 },
      ]),
    );
    if (df) server.on('GET /system/df', json(df));
    const engine = await server.connectRuntime();
    test.equal(engine.apiVersion, api);
    test.equal(await engine.imageDiskUsage(), want, `${api} ${JSON.stringify(df)}`);
    const [a, b] = await engine.listImages();
    test.same(a, {
      id: 'sha256:a',
      tags: ['a:1'],
      digests: ['a@sha256:1'],
      sizeBytes: 10,
      user: '',
      createdAtMs: 17e11,
    });
    test.same(b?.tags, []);
  }
});

t.test("the engine's default network", async (test) => {
  const server = await startScriptedEngine(test);
  const options = {
    'com.docker.network.bridge.name': 'br-own',
    'com.docker.network.driver.mtu': '1450',
  };
  const ipam = (...subnets: readonly object[]) => ({ IPAM: { Config: subnets } });
  server.on(
    'GET /networks/bridge',
    json({ EnableIPv6: false, ...ipam({ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }), Options: options }),
    json({ ...ipam({ Subnet: 'fd00::/64' }, { Subnet: '10.1.0.0/16', IPRange: '10.1.2.0/24' }), Options: null }),
    json({ IPAM: { Config: null } }),
    json({ message: 'network bridge not found' }, 404),
  );
  const engine = await server.connectRuntime();
  const subnet = '172.17.0.0/16';
  test.same(await engine.bridgeNetwork(), {
    ...{ link: 'br-own', subnet, gateway: '172.17.0.1', range: undefined, mtu: 1450, ipv6: false },
  });
  test.same(await engine.bridgeNetwork(), {
    ...{ link: 'docker0', subnet: '10.1.0.0/16', gateway: undefined, range: '10.1.2.0/24', mtu: 1500, ipv6: true },
  });
  test.equal(await engine.bridgeNetwork(), undefined, 'one without a range');
  test.equal(await engine.bridgeNetwork(), undefined, 'an engine without one');
});

t.test('an image with several names goes by its id, name by name', async (test) => {
  const server = await startScriptedEngine(test);
  const id = `sha256:${'a'.repeat(64)}`;
  server.on(
    `GET /images/${id}/json`,
    json({ Id: id, RepoTags: ['a:1', 'b:1'], RepoDigests: ['a@sha256:1'] }),
    json({ message: 'No such image' }, 404),
  );
  server.on('DELETE /images/a:1', json([]));
  server.on('DELETE /images/b:1', json([]));
  for (const each of ['a@sha256:1', id]) server.on(`DELETE /images/${each}`, json({ message: 'No such image' }, 404));
  const engine = await server.connectRuntime();
  test.equal(await engine.removeImage(id), true);
  test.equal(await engine.removeImage(id), false);
  test.equal(server.requests.filter((each) => each.startsWith('DELETE')).length, 4);
});

t.test('connections are kept, and a stale one is no failure of a question', async (test) => {
  const server = await startScriptedEngine(test);
  const sockets = new Set<unknown>();
  const seen = (request: IncomingMessage, response: ServerResponse) => {
    sockets.add(request.socket);
    json([])(request, response);
  };
  const stale = (request: IncomingMessage) => request.socket.destroy();
  server.on('GET /containers/json', seen, seen, seen, stale, seen);
  const engine = await server.connectRuntime();
  for (let call = 0; call < 3; call += 1) await engine.listContainers([]);
  test.equal(sockets.size, 1, 'one connection for three calls');
  test.same(await engine.listContainers([]), [], 'asked again');
  server.on('POST /containers/c/start', stale);
  await test.rejects(engine.startContainer('c'), { code: 'EngineUnreachable' });
  test.equal(server.requests.filter((each) => each.endsWith('/start?')).length, 1, 'a change is not sent twice');
  server.on('GET /containers/json', stale);
  await test.rejects(engine.listContainers([]), { code: 'EngineUnreachable' }, 'an engine that is really gone');
});

async function watch(server: ScriptedEngine, signal = new AbortController().signal) {
  const engine = await server.connectRuntime();
  return engine.containerEvents(['a=b'], signal);
}

const wireEvent = (action: string) =>
  JSON.stringify({ Type: 'container', Action: action, Actor: { ID: 'c', Attributes: { a: 'ü' } }, timeNano: 1.5e18 });

t.test('events come whole however they are cut; the end of the stream is an error', async (test) => {
  for (const end of ['end', 'break'] as const) {
    const server = await startScriptedEngine(test);
    server.on('GET /events', async (_, response) => {
      const bytes = Buffer.from(`${wireEvent('create')}\n${wireEvent('die')}\n`);
      for (let at = 0; at < bytes.length; at += 7) {
        response.write(bytes.subarray(at, at + 7));
        await new Promise(setImmediate);
      }
      if (end === 'end') response.end();
      else response.socket?.destroy();
    });
    const events = await watch(server);
    test.same((await events.next()).value, { id: 'c', action: 'create', labels: { a: 'ü' }, timeMs: 1.5e12 });
    test.match((await events.next()).value, { action: 'die' });
    await test.rejects(events.next(), { code: 'EngineUnreachable' }, end);
    const { searchParams } = new URL(`http://x${server.requests.at(-1)?.split(' ')[1]}`);
    test.match(JSON.parse(searchParams.get('filters') ?? ''), { type: ['container'], label: ['a=b'] });
  }
});

t.test('a watch ends by its signal, and by being left', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /events', (_, response) => response.write(`${wireEvent('create')}\n`));
  const stop = new AbortController();
  const events = await watch(server, stop.signal);
  await events.next();
  stop.abort();
  await test.rejects(events.next(), { code: 'Aborted' });
  const closed = new Promise((resolve) => {
    server.on('GET /events', (request, response) => {
      request.socket.once('close', resolve);
      response.write(`${wireEvent('create')}\n`);
    });
  });
  for await (const event of await watch(server)) if (event.action === 'create') break;
  await closed;
});

t.test('a log ends by its signal, and with its connection', async (test) => {
  const server = await startScriptedEngine(test);
  server.on('GET /containers/c/logs', (_, response) => response.write('text'));
  const engine = await server.connectRuntime();
  const stop = new AbortController();
  const options = { follow: true, tail: 5, sinceMs: 1_700_000_000_123, signal: stop.signal };
  const logs = await engine.containerLogs('c', true, options);
  test.match(server.requests.at(-1), 'follow=1&tail=5&timestamps=0&since=1700000000.123000');
  const [chunk] = await Promise.all([logs.stdout[Symbol.asyncIterator]().next()]);
  test.equal(String(chunk.value), 'text');
  stop.abort();
  await test.rejects(logs.ended, { code: 'Aborted' });
  server.on('GET /containers/c/logs', (_, response) => response.write('text', () => response.socket?.destroy()));
  const broken = await engine.containerLogs('c', true, {});
  await test.rejects(text(broken.stdout), { code: 'EngineUnreachable' });
  await test.rejects(broken.ended, { code: 'EngineUnreachable' });
});
