import { podOf, runningContainerOf } from './find-container.js';
import { HttpFault } from './http-fault.js';
import { type Endpoint, sendText } from './request-context.js';
import type { EndpointOptions } from './server-types.js';

const maxOutputBytes = 16 * 1024 * 1024;

/** Runs `cmd`, cut at blanks, and answers with its output. Source: server.go getRun, v1.20. */
export function makeRunEndpoint(options: EndpointOptions): Endpoint {
  return async (context) => {
    const pod = podOf(options.host, context);
    const { id } = await runningContainerOf(options.host, pod, context);
    const command = (context.query.get('cmd') ?? '').split(' ');
    const exec = await options.engine.startExec(id, { command, stdin: false, tty: false });
    const cut = () => exec.destroy();
    context.signal.addEventListener('abort', cut, { once: true });
    const parts: Buffer[] = [];
    let size = 0;
    const keep = (chunk: Buffer) => {
      if (size < maxOutputBytes) parts.push(chunk);
      size += chunk.length;
    };
    exec.stdout.on('data', keep).on('error', () => {});
    exec.stderr.on('data', keep).on('error', () => {});
    try {
      await exec.ended;
    } finally {
      context.signal.removeEventListener('abort', cut);
      exec.destroy();
    }
    const exitCode = await exec.exitCode();
    if (exitCode !== 0) throw new HttpFault(500, `command '${command.join(' ')}' exited with ${exitCode}`);
    sendText(context.response, 200, Buffer.concat(parts).toString('utf8'));
  };
}
