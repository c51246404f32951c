import type { Readable } from 'node:stream';
import { HyperupError } from '../base/errors.js';
import { inBandError } from './errors.js';
import { messageError, readMessages } from './json-stream.js';
import { splitReference } from './reference-parts.js';
import { answerStream, consume } from './stream-errors.js';
import type { Transport } from './transport.js';

/**
 * Loads what `docker save` (or an OCI writer) made. Gives the references and, for untagged images, ids that the engine names.
 * Errors: `EngineFailed` for an archive that isn't one or holds no image, or a full disk; `EngineUnreachable`.
 */
export async function loadImage(
  transport: Transport,
  tar: Readable,
  onLine?: (line: string) => void,
): Promise<readonly string[]> {
  const action = 'load images';
  const response = await transport.open({
    action,
    method: 'POST',
    path: '/images/load',
    query: { quiet: true },
    upload: tar,
  });
  const loaded: string[] = [];
  let failure: string | undefined;
  await consume(action, transport, response, [], async () => {
    for await (const message of readMessages(response)) {
      failure ??= messageError(message);
      const line = message.stream?.trimEnd();
      if (line) onLine?.(line);
      const reference = /^Loaded image(?: ID)?: (\S+)/.exec(line ?? '')?.[1];
      if (reference) loaded.push(reference);
    }
  });
  if (failure !== undefined) throw inBandError(action, failure, 'EngineFailed', 'any');
  if (loaded.length === 0) {
    throw new HyperupError('EngineFailed', `${action}: the engine found no image in the archive`, {
      hint: 'The archive must be one that `docker save` or `hyperup images save` made, and be whole.',
    });
  }
  return loaded;
}

/** A stream of the images as `docker save` makes it. `platform` where the engine's store keeps several of an image. */
export async function saveImages(
  transport: Transport,
  references: readonly string[],
  platform?: string,
): Promise<Readable> {
  const action = `save ${references.join(', ')}`;
  const response = await transport.open({
    action,
    method: 'GET',
    path: '/images/get',
    query: { names: references, platform },
  });
  return answerStream(action, transport, response);
}

/** Makes an image of one layer. `changes` are Dockerfile lines (`CMD …`, `LABEL …`). Gives the id. */
export async function importImage(
  transport: Transport,
  tar: Readable,
  reference: string,
  changes: readonly string[] = [],
): Promise<string> {
  const action = `import ${reference}`;
  const { repository, tag } = splitReference(reference);
  const response = await transport.open({
    action,
    method: 'POST',
    path: '/images/create',
    query: { fromSrc: '-', repo: repository, tag, changes },
    upload: tar,
  });
  let id: string | undefined;
  let failure: string | undefined;
  await consume(action, transport, response, [], async () => {
    for await (const message of readMessages(response)) {
      failure ??= messageError(message);
      if (message.status?.startsWith('sha256:')) id = message.status.trim();
    }
  });
  if (failure !== undefined) throw inBandError(action, failure, 'EngineFailed', 'any');
  if (id === undefined) throw new HyperupError('EngineFailed', `${action}: the engine gave no image id`);
  return id;
}
