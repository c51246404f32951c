import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { HyperupError } from '../../../../src/base/errors.js';
import { probeExec } from '../../../../src/kubelet/prober/exec-probe.js';
import { makeHealthRequest, probeGrpc } from '../../../../src/kubelet/prober/grpc-probe.js';
import { requestHeaders } from '../../../../src/kubelet/prober/http-get.js';
import { type ProbeTarget, probeHttp } from '../../../../src/kubelet/prober/http-probe.js';
import { portNumber } from '../../../../src/kubelet/prober/probe-outcome.js';
import { probeTcp } from '../../../../src/kubelet/prober/tcp-probe.js';

const host = '127.0.0.1';

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  t.teardown(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const target = (more: Partial<ProbeTarget> = {}): ProbeTarget => ({
  container: { name: 'c' },
  podIp: host,
  timeoutMs: 5000,
  userAgent: 'kube-probe/1.20',
  signal: new AbortController().signal,
  ...more,
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => {
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

async function webServer(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  t.teardown(() => server.closeAllConnections());
  return { port: await listen(t, server), seen };
}

t.test('statuses decide, redirects on the same host are followed', async (t) => {
  const { port, seen } = await webServer(t, (request, response) => {
    const [, status = '', to = ''] = /^\/(\d+)(?:\?to=(.*))?$/.exec(request.url ?? '') ?? [];
    if (to !== '') response.setHeader('location', decodeURIComponent(to));
    response.statusCode = Number(status || 200);
    response.end(`body ${status}`);
  });
  const cases: [path: string, want: object][] = [
    ['/200', { result: 'success', output: 'body 200' }],
    ['204', { result: 'success', output: '' }],
    ['', { result: 'success', output: 'body ' }],
    ['/304', { result: 'warning', output: '' }],
    ['/400', { result: 'failure', output: 'HTTP probe failed with statuscode: 400' }],
    ['/500', { result: 'failure', output: 'HTTP probe failed with statuscode: 500' }],
    [`/302?to=${encodeURIComponent('/500')}`, { result: 'failure' }],
    [`/301?to=${encodeURIComponent(`http://${host}:${port}/200`)}`, { result: 'success', output: 'body 200' }],
    [`/302?to=${encodeURIComponent('http://0.0.0.0/')}`, { result: 'warning', output: 'body 302' }],
    ['/302', { result: 'warning', output: 'body 302' }],
  ];
  for (const [path, want] of cases) t.match(await probeHttp({ port, path }, target()), want, path || '(empty)');
  const loop = `/302?to=${encodeURIComponent('/302?to=%2F302')}`;
  t.match(await probeHttp({ port, path: loop }, target()), { result: 'warning' });
  t.equal(seen[0]?.headers['user-agent'], 'kube-probe/1.20');
  t.equal(seen[0]?.headers.connection, 'close');
  t.equal(seen[0]?.headers['accept-encoding'], undefined);
});

t.test('what is sent', async (t) => {
  const { port, seen } = await webServer(t, (_request, response) => response.end());
  const httpHeaders = [
    { name: 'Host', value: 'example.com' },
    { name: 'X-Many', value: 'a' },
    { name: 'X-Many', value: 'b' },
  ];
  const container = { name: 'c', ports: [{ name: 'web', containerPort: port }] };
  await probeHttp({ port: 'web', path: 'echo?msg=a b&x=é#part', httpHeaders }, target({ container }));
  t.equal(seen[0]?.url, '/echo?msg=a%20b&x=%C3%A9');
  t.match(seen[0]?.headers, { host: 'example.com', 'x-many': 'a, b', accept: '*/*' });
});

t.test('headers of a probe', async (t) => {
  const cases: [name: string, list: { name: string; value: string }[], want: object][] = [
    ['none', [], { 'User-Agent': 'agent', Accept: '*/*' }],
    ['own agent', [{ name: 'user-agent', value: 'foo' }], { 'user-agent': 'foo', Accept: '*/*' }],
    ['empty accept', [{ name: 'Accept', value: '' }], { 'User-Agent': 'agent' }],
    ['empty host', [{ name: 'Host', value: '' }], { 'User-Agent': 'agent', Accept: '*/*' }],
  ];
  for (const [name, list, want] of cases) t.same(requestHeaders(list, 'agent'), want, name);
});

t.test('failures of the network, in Go’s words', async (t) => {
  const port = await freePort();
  t.same(await probeHttp({ port, path: '/x' }, target()), {
    result: 'failure',
    output: `Get "http://${host}:${port}/x": dial tcp ${host}:${port}: connect: connection refused`,
  });
  t.same(await probeTcp({ port }, target()), {
    result: 'failure',
    output: `dial tcp ${host}:${port}: connect: connection refused`,
  });
  t.same(await probeGrpc({ port }, target()), {
    result: 'failure',
    output: `error: failed to connect service at "${host}:${port}": dial tcp ${host}:${port}: connect: connection refused`,
  });
  const silent = await webServer(t, () => {});
  t.same(await probeHttp({ port: silent.port }, target({ timeoutMs: 50 })), {
    result: 'failure',
    output: `Get "http://${host}:${silent.port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  });
  const stalling = await webServer(t, (_request, response) => {
    response.write('half');
  });
  t.match(
    await probeHttp({ port: stalling.port }, target({ timeoutMs: 50 })),
    { result: 'failure' },
    'the body counts',
  );
  await t.rejects(probeHttp({ port }, target({ podIp: '' })), { code: 'NotFound' }, 'never this machine itself');
});

t.test('a long body is cut, and the connection with it', async (t) => {
  const { port } = await webServer(t, (_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(4096)));
    };
    response.on('drain', more);
    more();
  });
  const { result, output } = await probeHttp({ port }, target());
  t.same([result, output.length], ['success', 10_240]);
});

t.test('a stop ends a probe', async (t) => {
  const { port } = await webServer(t, () => {});
  const controller = new AbortController();
  const probing = probeHttp({ port }, target({ signal: controller.signal }));
  controller.abort();
  await t.rejects(probing, { code: 'Aborted' });
});

t.test('a connection is enough for tcpSocket', async (t) => {
  const port = await listen(
    t,
    createTcpServer((socket) => socket.resume()),
  );
  t.same(await probeTcp({ port }, target()), { result: 'success', output: '' });
});

t.test('gRPC health', async (t) => {
  const answers: ((stream: ServerHttp2Stream) => void)[] = [];
  const bodies: Buffer[] = [];
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      answers.shift()?.(stream);
    });
  });
  const port = await listen(t, server);
  const say = (status: string, message: string, frame: Buffer) => (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status, 'grpc-message': message }));
    stream.end(frame);
  };
  const state = (value: number) => Buffer.from([0, 0, 0, 0, 2, 0x08, value]);
  const cases: [name: string, answer: (stream: ServerHttp2Stream) => void, result: string, output: RegExp][] = [
    ['serving', say('0', '', state(1)), 'success', /service healthy/],
    ['not serving', say('0', '', state(2)), 'failure', /responded with "NOT_SERVING"/],
    ['empty answer', say('0', '', Buffer.alloc(5)), 'failure', /responded with "UNKNOWN"/],
    ['no such method', say('12', 'no%20health', Buffer.alloc(0)), 'failure', /does not implement .*: no health/],
    ['refused', say('7', 'go away', Buffer.alloc(0)), 'failure', /rpc error: code = 7 desc = go away/],
    ['reset', (stream) => stream.close(8), 'failure', /rpc probe failed/],
  ];
  for (const [name, answer, result, output] of cases) {
    answers.push(answer);
    t.match(await probeGrpc({ port, service: 'db' }, target()), { result, output }, name);
  }
  t.same(bodies[0], Buffer.from([0, 0, 0, 0, 4, 0x0a, 2, 0x64, 0x62]));
  t.equal(makeHealthRequest('x'.repeat(200)).length, 5 + 3 + 200, 'two bytes of length');
  answers.push(() => {});
  t.match(await probeGrpc({ port }, target({ timeoutMs: 100 })), {
    output: /timeout: health rpc did not complete within 0.1s/,
  });
});

t.test('commands', async (t) => {
  const container = {
    name: 'c',
    env: [
      { name: 'A', value: 'x' },
      { name: 'B', valueFrom: {} },
    ],
  };
  const options = { timeoutMs: 1000, signal: new AbortController().signal };
  const asked: (readonly string[])[] = [];
  const run = (answer: () => { exitCode: number; output: string }) =>
    probeExec(
      async (_id, command) => {
        asked.push(command);
        return answer();
      },
      'id',
      container,
      ['cat', '$(A)$(B)$(C)'],
      options,
    );
  t.same(await run(() => ({ exitCode: 0, output: 'fine' })), { result: 'success', output: 'fine' });
  t.same(await run(() => ({ exitCode: 3, output: 'no' })), { result: 'failure', output: 'no' });
  t.same(asked[0], ['cat', 'x$(C)']);
  const timeout = run(() => {
    throw new HyperupError('Timeout', 'too slow');
  });
  t.same(await timeout, { result: 'failure', output: 'command "cat x$(C)" timed out after 1s' });
  const gone = run(() => {
    throw new HyperupError('NotFound', 'no such container');
  });
  await t.rejects(gone, { code: 'NotFound' });
});

t.test('ports', async (t) => {
  const container = {
    name: 'c',
    ports: [
      { name: 'web', containerPort: 8080 },
      { name: '90', containerPort: 91 },
    ],
  };
  const cases: [port: number | string, want: number | undefined][] = [
    [80, 80],
    ['web', 8080],
    ['443', 443],
    ['90', 91],
    ['other', undefined],
    [0, undefined],
    [65_536, undefined],
  ];
  for (const [port, want] of cases) {
    if (want === undefined) t.throws(() => portNumber(port, container), { code: 'InvalidConfig' }, String(port));
    else t.equal(portNumber(port, container), want, String(port));
  }
});
