import { connect, createServer } from 'node:net';
import t from 'tap';
import { WebSocket } from 'ws';
import { startScene, until, upgraded } from './server-scene.js';

/** All messages until the close frame, whose code comes with them. */
function converse(
  port: number,
  path: string,
  protocols: string | string[] | undefined,
  onOpen?: (ws: WebSocket) => void,
) {
  return new Promise<{ messages: Buffer[]; code: number; protocol: string }>((resolve, reject) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols ?? []);
    const messages: Buffer[] = [];
    ws.on('message', (data: Buffer) => messages.push(data));
    ws.on('open', () => onOpen?.(ws));
    ws.on('error', reject);
    ws.on('close', (code) => resolve({ messages, code, protocol: ws.protocol }));
  });
}

const channelText = (messages: readonly Buffer[], channel: number) =>
  Buffer.concat(messages.filter((message) => message[0] === channel).map((message) => message.subarray(1))).toString();

void t.test('exec', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const path = '/exec/ns/web/app?output=1&error=1&command=';
  const success = '{"metadata":{},"status":"Success"}';
  const cases = [
    { name: 'none asked for', want: undefined, chosen: '', status: '', program: 'both' },
    { name: 'the first', want: 'channel.k8s.io', chosen: 'channel.k8s.io', status: '', program: 'both' },
    { name: 'v4', want: ['x', 'v4.channel.k8s.io'], chosen: 'v4.channel.k8s.io', status: success, program: 'both' },
    { name: 'v5', want: ['v5.channel.k8s.io'], chosen: 'v5.channel.k8s.io', status: success, program: 'both' },
  ];
  for (const { name, want, chosen, status, program } of cases) {
    const { messages, code, protocol } = await converse(scene.port, path + program, want);
    t.same(messages[0], Buffer.of(1), `${name}: an empty message first`);
    t.equal(channelText(messages, 1), 'out', name);
    t.equal(channelText(messages, 2), 'err', name);
    t.equal(channelText(messages, 3), status, `${name}: status`);
    t.equal(code, 1000, `${name}: a normal close`);
    t.equal(protocol, chosen, name);
  }
  const failed = await converse(scene.port, `${path}exit&command=2`, 'channel.k8s.io');
  t.match(channelText(failed.messages, 3), /^command terminated with non-zero exit code/);
});

void t.test('base64', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const path = '/exec/ns/web/app?output=1&command=both';
  const { messages } = await converse(scene.port, path, 'base64.channel.k8s.io');
  t.same(messages.map(String), ['1', `1${Buffer.from('out').toString('base64')}`]);
});

void t.test('stdin of 1 MiB, ended by v5', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const sent = Buffer.alloc(1 << 20, '0123456789');
  const path = '/exec/ns/web/app?input=1&output=1&command=cat';
  const { messages } = await converse(scene.port, path, 'v5.channel.k8s.io', (ws) => {
    for (let at = 0; at < sent.length; at += 30_000)
      ws.send(Buffer.concat([Buffer.of(0), sent.subarray(at, at + 30_000)]));
    ws.send(Buffer.of(0));
    ws.send(Buffer.of(255, 0));
  });
  t.equal(channelText(messages, 1).length, sent.length);
  t.match(channelText(messages, 3), /Success/);
});

void t.test('a client that goes ends its command', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const path = '/exec/ns/web/app?input=1&output=1&command=hang';
  const ended = converse(scene.port, path, 'v4.channel.k8s.io', (ws) => {
    void until(() => scene.execs.length === 1).then(() => ws.terminate());
  });
  await ended;
  await until(() => scene.execs[0]?.destroyed === true && scene.execs[0].stdinEnded);
  t.equal(scene.execs.length, 1);
});

void t.test('protocols that nobody knows', async (t) => {
  const scene = await startScene();
  t.teardown(scene.stop);
  const path = '/exec/ns/web/app?output=1&command=both';
  await t.rejects(converse(scene.port, path, 'v9.channel.k8s.io'), /403/);
  await t.rejects(converse(scene.port, '/portForward/ns/web?port=0', 'v4.channel.k8s.io'), /400/);
});

/** A server that answers each connection with what it got, and the scene that dials it. */
async function startForwardScene() {
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const { port } = echo.address() as { port: number };
  const scene = await startScene({
    dialPod: (_pod, wanted) =>
      new Promise((resolve, reject) => {
        if (wanted !== 80) {
          reject(new Error('connection refused'));
          return;
        }
        const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(socket));
      }),
  });
  const stop = async () => {
    await scene.stop();
    await new Promise((resolve) => echo.close(resolve));
  };
  return { ...scene, stop };
}

void t.test('port-forward over SPDY', async (t) => {
  const scene = await startForwardScene();
  t.teardown(scene.stop);
  const client = await upgraded(scene.port, '/portForward/ns/web', 'portforward.k8s.io');
  const pair = async (port: string, requestid: string) => {
    const error = await client.open({ streamtype: 'error', port, requestid });
    await error.write('', true);
    return { error, data: await client.open({ streamtype: 'data', port, requestid }) };
  };
  const pairs = await Promise.all(Array.from({ length: 20 }, (_, index) => pair('80', String(index))));
  await Promise.all(pairs.map(({ data }, index) => data.write(`hello ${index} `.repeat(5000), true)));
  for (const [index, { data, error }] of pairs.entries()) {
    t.equal((await data.ended).toString(), `hello ${index} `.repeat(5000), `pair ${index}`);
    t.equal((await error.ended).length, 0);
  }
  const refused = await pair('81', 'r');
  t.equal((await refused.error.ended).toString(), 'error forwarding port 81 to pod uid-1, uid : connection refused');
  for (const headers of [
    { streamtype: 'data' },
    { streamtype: 'data', port: '70000' },
    { streamtype: 'x', port: '80' },
  ]) {
    await t.rejects((await client.open(headers)).replied, JSON.stringify(headers));
  }
  const again = await pair('80', '99');
  await again.data.write('x', true);
  t.equal((await again.data.ended).toString(), 'x', 'the connection outlives its pairs');
  client.socket.destroy();
});

void t.test('port-forward over a WebSocket', async (t) => {
  const scene = await startForwardScene();
  t.teardown(scene.stop);
  const path = '/portForward/ns/web?port=80&port=81';
  const messages: Buffer[] = [];
  const ws = new WebSocket(`ws://127.0.0.1:${scene.port}${path}`, 'v4.channel.k8s.io');
  ws.on('message', (data: Buffer) => messages.push(data));
  await new Promise((resolve) => ws.on('open', resolve));
  ws.send(Buffer.from('\0ping'));
  await until(() => channelText(messages, 0).length >= 6 && channelText(messages, 3).length > 2);
  t.equal(channelText(messages, 0), 'P\0ping');
  t.match(channelText(messages, 3), /^Q\0error forwarding port 81/);
  ws.terminate();
});
