import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';
import t from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import { silentLogger } from '../../../../src/base/logger.js';
import { makeHeaderDictionary } from '../../../../src/kubelet/server/spdy/dictionary.js';
import { makeFrameParser } from '../../../../src/kubelet/server/spdy/frame-parser.js';
import {
  encodeControl,
  encodeData,
  encodeDataHead,
  encodePing,
  frameType,
  maxDataBytes,
} from '../../../../src/kubelet/server/spdy/frames.js';
import { createSpdySession } from '../../../../src/kubelet/server/spdy/session.js';
import type { SpdyStream } from '../../../../src/kubelet/server/spdy/stream.js';
import { duplexPair } from './duplex-pair.js';
import { until } from './server-scene.js';
import { makeSpdyClient } from './spdy-client.js';

function makeScene(maxStreams = 8) {
  const [socket, peer] = duplexPair();
  const streams: SpdyStream[] = [];
  const session = createSpdySession({
    socket,
    head: Buffer.alloc(0),
    clock: systemClock,
    logger: silentLogger,
    maxStreams,
    accept: (headers) => headers.get('streamtype') !== 'bad',
    onStream: (stream) => void streams.push(stream),
  });
  return { socket, peer, streams, session };
}

void t.test("the dictionary is the draft's", async (t) => {
  const dictionary = makeHeaderDictionary();
  t.equal(dictionary.length, 1423);
  const digest = createHash('sha256').update(dictionary).digest('hex');
  t.equal(digest, '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02');
});

void t.test('frames, cut anywhere', async (t) => {
  const bytes = Buffer.concat([
    encodePing(7),
    encodeDataHead(5, 4, true),
    Buffer.from('data'),
    encodeDataHead(5, 0, false),
    encodeControl(frameType.settings, 1, Buffer.alloc(20, 9)),
  ]);
  for (const step of [1, 3, 8, bytes.length]) {
    const parser = makeFrameParser();
    let text = '';
    for (let at = 0; at < bytes.length; at += step) {
      for (const event of parser.push(bytes.subarray(at, at + step))) {
        text +=
          event.kind === 'control'
            ? `[${event.type}:${event.payload.length}]`
            : `${event.chunk}${event.fin ? '|' : ''}`;
      }
    }
    t.equal(text, '[6:4]data|[4:20]', `${step} bytes at a time`);
    t.notOk(parser.partial);
  }
});

void t.test('DATA frames of several pieces', async (t) => {
  const half = Buffer.alloc(maxDataBytes / 2, 1);
  const cases = [
    { name: 'nothing', chunks: [], fin: false, want: '' },
    { name: 'an end alone', chunks: [], fin: true, want: '[3:0 end]' },
    { name: 'pieces in one frame', chunks: [half, Buffer.from('ab')], fin: true, want: `[3:${half.length + 2} end]` },
    { name: 'a full frame', chunks: [half, half], fin: false, want: `[3:${maxDataBytes}]` },
    { name: 'a full frame and the end', chunks: [half, half], fin: true, want: `[3:${maxDataBytes}][3:0 end]` },
    { name: 'a cut piece', chunks: [half, half, half], fin: true, want: `[3:${maxDataBytes}][3:${half.length} end]` },
    {
      name: 'one that is too large',
      chunks: [Buffer.alloc(maxDataBytes + 1)],
      fin: false,
      want: `[3:${maxDataBytes}][3:1]`,
    },
  ];
  for (const { name, chunks, fin, want } of cases) {
    const bytes = Buffer.concat(encodeData(3, chunks, fin));
    let text = '';
    const payloads: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUIntBE(at + 5, 3);
      text += `[${bytes.readUInt32BE(at)}:${length}${bytes[at + 4] === 1 ? ' end' : ''}]`;
      payloads.push(bytes.subarray(at + 8, at + 8 + length));
      at += 8 + length;
    }
    t.equal(text, want, name);
    t.ok(Buffer.concat(payloads).equals(Buffer.concat(chunks)), `${name}: the payload`);
  }
});

void t.test('a peer that does not read stops the writer, and the end waits for all of it', async (t) => {
  const { peer, streams, socket } = makeScene();
  const valve = new Duplex({ read: () => {}, write: (chunk, _encoding, done) => void peer.write(chunk, done) });
  peer.on('data', (chunk) => valve.push(chunk));
  const client = makeSpdyClient(valve, Buffer.alloc(0));
  await (await client.open({ streamtype: 'stdout' })).replied;
  const [stream] = streams;
  peer.pause();
  const piece = Buffer.alloc(50_000, 'abcdefghij');
  let written = 0;
  let stuck = 0;
  while (stuck < 50) {
    stuck = stream?.writableNeedDrain ? stuck + 1 : 0;
    if (stuck === 0) {
      stream?.write(piece);
      written += piece.length;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  const held = (stream?.writableLength ?? 0) + socket.writableLength;
  t.ok(written < 1 << 20 && held < 512 * 1024, `${written} bytes were taken, ${held} are held`);
  let finished = false;
  stream?.end(() => {
    finished = true;
  });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.notOk(finished, 'not before the peer has read');
  peer.resume();
  await until(() => finished);
  t.equal(socket.writableLength, 0);
  peer.destroy();
});

void t.test('refusals', async (t) => {
  const { peer, streams } = makeScene(2);
  const client = makeSpdyClient(peer, Buffer.alloc(0));
  await t.rejects((await client.open({ streamtype: 'bad' })).replied, 'not accepted');
  t.equal(await (await client.open({ streamtype: 'a' })).replied, 0);
  t.equal(await (await client.open({ streamtype: 'b' })).replied, 0, 'the compression goes on after a refusal');
  await t.rejects((await client.open({ streamtype: 'c' })).replied, 'too many');
  t.equal(streams.length, 2);
  peer.destroy();
});

void t.test('an unread stream stops the connection, not its memory', async (t) => {
  const { peer, streams, socket } = makeScene();
  const client = makeSpdyClient(peer, Buffer.alloc(0));
  const stream = await client.open({ streamtype: 'stdin' });
  await stream.replied;
  const sent = stream.write(Buffer.alloc(8 << 20, 1), true);
  let before = -1;
  const held = () => (streams[0]?.queuedBytes ?? 0) + (streams[0]?.readableLength ?? 0) + socket.readableLength;
  while (held() !== before) {
    before = held();
    await systemClock.sleep(20);
  }
  t.ok(held() < 1 << 20, `${held()} bytes are held`);
  let received = 0;
  for await (const chunk of streams[0] ?? []) received += (chunk as Buffer).length;
  t.equal(received, 8 << 20, 'all of it comes once it is read');
  await sent;
  peer.destroy();
});

void t.test('a broken connection closes its streams', async (t) => {
  const { peer, streams, session } = makeScene();
  const client = makeSpdyClient(peer, Buffer.alloc(0));
  await (await client.open({ streamtype: 'stdin' })).replied;
  peer.destroy();
  await until(() => session.closed.aborted);
  t.ok(streams[0]?.destroyed);
});

/** A small generator, the same numbers for the same seed. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

void t.test('nothing a peer sends does more than end its connection', async (t) => {
  const bomb = Buffer.alloc(64 * 1024 - 10, 0);
  const fixed = [
    { name: 'a huge control frame', bytes: Buffer.from('80030001ffffffff', 'hex') },
    { name: 'another version', bytes: Buffer.from('8002000600000004' + '00000001', 'hex') },
    { name: 'a cut SYN_STREAM', bytes: encodeControl(frameType.synStream, 0, Buffer.alloc(4)) },
    { name: 'headers that are no zlib', bytes: encodeControl(frameType.synStream, 0, Buffer.alloc(40, 1)) },
    { name: 'zeros', bytes: encodeControl(frameType.synStream, 0, bomb) },
    { name: 'a cut RST_STREAM', bytes: encodeControl(frameType.rstStream, 0, Buffer.alloc(1)) },
    { name: 'a cut HEADERS', bytes: encodeControl(frameType.headers, 0, Buffer.alloc(2)) },
  ];
  for (const { name, bytes } of fixed) {
    const { peer, session } = makeScene();
    peer.on('error', () => {});
    peer.resume();
    peer.write(bytes);
    await until(() => session.closed.aborted);
    t.pass(name);
  }
  const random = makeRandom(42);
  for (let round = 0; round < 300; round++) {
    const { peer, session, streams } = makeScene();
    peer.on('error', () => {});
    peer.resume();
    const length = Math.floor(random() * 400);
    const bytes = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
    // Half of them look like frames.
    if (round % 2 === 0 && length > 8) bytes.set([0x80, 3, 0, round % 10, 0, 0, 0, Math.min(length - 8, 60)]);
    peer.end(bytes);
    await until(() => session.closed.aborted);
    t.ok(streams.length <= 8);
  }
});

void t.test('a header block that grows without end', async (t) => {
  const { peer, session } = makeScene();
  const client = makeSpdyClient(peer, Buffer.alloc(0));
  void client.open({ streamtype: 'a'.repeat(10 << 20) }).catch(() => {});
  await until(() => session.closed.aborted);
  t.pass('ended');
});
