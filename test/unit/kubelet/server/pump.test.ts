import { PassThrough, Readable, Writable } from 'node:stream';
import t from 'tap';
import { pump } from '../../../../src/kubelet/server/pump.js';
import { until } from './server-scene.js';

/** Keeps what it takes, a list for each write; takes more only when told. */
function makeSink(options: { readonly held?: boolean } = {}) {
  const writes: string[][] = [];
  let release = () => {};
  const write = (chunks: readonly unknown[], done: () => void) => {
    writes.push(chunks.map(String));
    release = done;
    if (!options.held) done();
  };
  const sink = new Writable({
    highWaterMark: 8,
    write: (chunk: Buffer, _encoding, done) => write([chunk], done),
    writev: (chunks, done) =>
      write(
        chunks.map(({ chunk }) => chunk as unknown),
        done,
      ),
  });
  sink.on('error', () => {});
  return { sink, writes, release: () => release() };
}

void t.test('what comes in one turn is one write where it is gathered', async (t) => {
  const cases = [
    { name: 'gathered', gather: true, want: [['a', 'b'], ['c']] },
    { name: 'as much as the sink takes', gather: true, first: 'long text', want: [['long text'], ['b'], ['c']] },
    { name: 'not gathered', gather: false, want: [['a'], ['b'], ['c']] },
  ];
  for (const { name, gather, first = 'a', want } of cases) {
    const source = new PassThrough();
    const { sink, writes } = makeSink();
    const pumped = pump(source, sink, { end: true, gather });
    source.write(first);
    source.write('b');
    await until(() => writes.flat().length === 2);
    source.end('c');
    await pumped;
    t.same(writes, want, name);
    t.ok(sink.writableEnded, `${name}: ended`);
  }
});

void t.test('a sink that takes no more stops the source, gathered or not', async (t) => {
  for (const gather of [false, true]) {
    let made = 0;
    const source = new Readable({
      highWaterMark: 8,
      read() {
        made += 1;
        this.push(made > 1000 ? null : 'abcd');
      },
    });
    const { sink, writes, release } = makeSink({ held: true });
    const pumped = pump(source, sink, { end: false, gather });
    let before = -1;
    for (let turn = 0; turn < 20 || made !== before; turn++) {
      before = made;
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.ok(made > 0 && made < 20, `${made} pieces were read`);
    let finished = false;
    void pumped.then(() => {
      finished = true;
    });
    await until(() => {
      release();
      return finished;
    });
    t.ok(writes.flat().join('').length + sink.writableLength >= 4000, 'all of it arrived');
    t.notOk(sink.writableEnded);
  }
});

void t.test('an end that comes early on either side', async (t) => {
  const gone = makeSink();
  const unread = new PassThrough();
  const dropped = pump(unread, gone.sink, { end: true, gather: true });
  unread.write('a');
  gone.sink.destroy();
  unread.end(Buffer.alloc(1 << 20));
  await dropped;
  t.ok(unread.readableEnded, 'the rest is read where the sink has closed');

  const broken = new PassThrough();
  const { sink, writes } = makeSink();
  const pumped = pump(broken, sink, { end: true, gather: true });
  broken.write('a');
  broken.destroy(new Error('broken'));
  await pumped;
  t.ok(sink.writableEnded, 'a source that broke has ended');
  t.ok(writes.flat().length <= 1);

  const ended = new PassThrough();
  ended.resume().end();
  await until(() => ended.readableEnded);
  await pump(ended, undefined, { end: true });
  t.pass('a source that ended before');
});
