import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { HyperupError, messageOf } from '../../base/errors.js';
import { type Upstream, upstreamName } from './types.js';
import { isAnswerTo } from './upstream-message.js';

/** Asks a resolver over a TCP connection of its own, for what is too long for UDP. Throws `Timeout`, `ApiFailed`, `Aborted`. */
export function askOverTcp(
  upstream: Upstream,
  template: Buffer,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const action = `ask resolver ${upstreamName(upstream)} over TCP`;
  const query = Buffer.from(template);
  query.writeUInt16BE(randomInt(0x10000), 0);
  return new Promise<Buffer>((resolve, reject) => {
    const socket = connect({ host: upstream.address, port: upstream.port });
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (error: HyperupError | undefined, message?: Buffer) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.destroy();
      if (message !== undefined) resolve(message);
      else reject(error);
    };
    const abort = () => end(new HyperupError('Aborted', `${action}: closed`));
    const timer = setTimeout(
      () => end(new HyperupError('Timeout', `${action}: got no answer in ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener('abort', abort);
    socket.on('error', (error) =>
      end(new HyperupError('ApiFailed', `${action}: ${messageOf(error)}`, { cause: error })),
    );
    socket.on('close', () => end(new HyperupError('ApiFailed', `${action}: the connection ended early`)));
    socket.on('connect', () => {
      const frame = Buffer.alloc(2);
      frame.writeUInt16BE(query.length);
      socket.write(Buffer.concat([frame, query]));
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length < 2) return;
      const whole = Buffer.concat(chunks);
      const wanted = whole.readUInt16BE(0) + 2;
      if (whole.length < wanted) return;
      const message = whole.subarray(2, wanted);
      if (isAnswerTo(message, query)) end(undefined, message);
      else end(new HyperupError('ApiFailed', `${action}: got an answer to another question`));
    });
    if (signal?.aborted) abort();
  });
}
