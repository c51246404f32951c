import { Duplex } from 'node:stream';

/** Two ends of one connection in memory, each waiting for the other's reader. */
export function duplexPair(): readonly [Duplex, Duplex] {
  const ends: { stream: Duplex; taken: (() => void) | undefined }[] = [];
  const make = (own: number, other: number) => {
    const stream = new Duplex({
      read() {
        const end = ends[own];
        const taken = end?.taken;
        if (end !== undefined) end.taken = undefined;
        taken?.();
      },
      write(chunk: Buffer, _encoding, done) {
        const peer = ends[other];
        if (peer === undefined || peer.stream.destroyed) done();
        else if (peer.stream.push(chunk)) setImmediate(done);
        else peer.taken = done;
      },
      final(done) {
        ends[other]?.stream.push(null);
        done();
      },
      destroy(error, done) {
        const peer = ends[other];
        if (peer !== undefined && !peer.stream.destroyed) setImmediate(() => peer.stream.destroy());
        const taken = ends[own]?.taken;
        taken?.();
        done(error);
      },
    });
    ends.push({ stream, taken: undefined });
    return stream;
  };
  const first = make(0, 1);
  return [first, make(1, 0)];
}
