import { request } from 'node:https';
import { connect } from 'node:net';

/**
 * What a server says to somebody without a certificate: its status code, or why there was no answer. Whose certificate it
 * shows doesn't matter here.
 */
export async function askAnonymously(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  timeoutMs = 5_000,
): Promise<number | string> {
  return await new Promise((resolve) => {
    const options = { agent: false, rejectUnauthorized: false, timeout: timeoutMs, headers };
    const outgoing = request(url, options, (answer) => {
      answer.resume();
      answer.on('error', (error) => resolve(error.message));
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    outgoing.on('error', (error) => resolve(error.message));
    outgoing.end();
  });
}

/** Whether anybody accepts connections there; a connection that hangs counts as refused. */
export async function isOpen(host: string, port: number, timeoutMs = 2_000): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
