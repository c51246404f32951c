import type { Readable } from 'node:stream';
import { HyperupError } from '../base/errors.js';
import { inBandError } from './errors.js';
import { messageError, readMessages } from './json-stream.js';
import { makeLineSplitter } from './lines.js';
import { consume } from './stream-errors.js';
import type { Transport } from './transport.js';
import type { BuildOptions } from './types.js';

/** Lines of output that a failed build's error carries. */
const keptLines = 40;

/**
 * Builds with the classic builder, which every engine from 20.10 on has and which needs no frontend image.
 * Errors: `BuildFailed` with the last output, `EngineFailed` (disk full), `EngineUnreachable`, `Aborted`.
 */
export async function buildImage(transport: Transport, context: Readable, options: BuildOptions): Promise<string> {
  const action = `build ${options.tag}`;
  const response = await transport.open({
    action,
    method: 'POST',
    path: '/build',
    query: {
      version: 1,
      t: options.tag,
      rm: true,
      forcerm: true,
      labels: JSON.stringify(options.labels ?? {}),
      buildargs: JSON.stringify(options.buildArgs ?? {}),
    },
    upload: context,
    scope: 'registry',
    signal: options.signal,
  });
  const splitter = makeLineSplitter();
  const tail: string[] = [];
  const take = (lines: readonly string[]) => {
    for (const line of lines) {
      tail.push(line);
      if (tail.length > keptLines) tail.shift();
      options.onLine?.(line);
    }
  };
  let id: string | undefined;
  let failure: string | undefined;
  await consume(action, transport, response, [options.signal], async () => {
    for await (const message of readMessages(response)) {
      failure ??= messageError(message);
      id = message.aux?.ID ?? id;
      // Pulls of base images report by status and id; the rest of the output comes as pieces of text.
      if (message.stream !== undefined) take(splitter.push(Buffer.from(message.stream)));
      else if (message.status !== undefined && message.progressDetail?.current === undefined) {
        take([message.id === undefined ? message.status : `${message.id}: ${message.status}`]);
      }
    }
  });
  take(splitter.end());
  if (failure !== undefined) {
    const error = inBandError(action, failure, 'BuildFailed', 'registry');
    throw new HyperupError(error.code, error.message, {
      output: tail.join('\n'),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
  if (id === undefined) {
    throw new HyperupError('BuildFailed', `${action}: the engine ended the build without an image`, {
      output: tail.join('\n'),
    });
  }
  return id;
}
