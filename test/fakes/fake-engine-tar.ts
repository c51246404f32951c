import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';

/** A file of a tar to be made; a `link` makes it a symbolic link. */
export interface TarEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly link?: string;
  readonly mode?: number;
}

/** A tar of these entries as a stream. */
export function makeTar(entries: readonly TarEntry[]): Readable {
  const tar = pack();
  for (const { name, content = '', link, mode = 0o644 } of entries) {
    if (link !== undefined) tar.entry({ name, type: 'symlink', linkname: link });
    else tar.entry({ name, mode }, typeof content === 'string' ? content : Buffer.from(content));
  }
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}

/** The regular files of a tar, by their absolute paths. */
export async function readTar(tar: Readable): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const entries = extract();
  // Errors of the source reach the reader of the entries, which `pipe` alone would not see to.
  tar.once('error', (error) => entries.destroy(error));
  tar.pipe(entries);
  for await (const entry of entries) {
    const content = await text(entry);
    if (entry.header.type === 'file') files[`/${entry.header.name.replace(/^(\.?\/)+/, '')}`] = content;
  }
  return files;
}
