import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

export interface ArchiveLayer {
  /** A tar file, uncompressed. */
  readonly path: string;
  /** `sha256:…` of that file. */
  readonly diffId: string;
  readonly createdBy: string;
}

export interface ArchiveImage {
  readonly reference: string;
  readonly architecture: string;
  /** ISO 8601; the same input gives the same image id. */
  readonly created: string;
  readonly layers: readonly ArchiveLayer[];
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** The `sha256:…` of a file's content. */
export async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}

/** The image's configuration as it is hashed into its id (OCI image-spec v1, `config.md`). Pure. */
export function imageConfig(image: ArchiveImage): string {
  return JSON.stringify({
    architecture: image.architecture,
    os: 'linux',
    created: image.created,
    config: {
      Env: Object.entries(image.env).map(([name, value]) => `${name}=${value}`),
      ...(image.entrypoint.length > 0 ? { Entrypoint: image.entrypoint } : {}),
      ...(image.command.length > 0 ? { Cmd: image.command } : {}),
      WorkingDir: '/',
      Labels: image.labels,
    },
    rootfs: { type: 'layers', diff_ids: image.layers.map((layer) => layer.diffId) },
    history: image.layers.map((layer) => ({ created: image.created, created_by: layer.createdBy })),
  });
}

/**
 * One image as the stream that `docker load` takes (docker-archive, `manifest.json`). Layers are read as the
 * consumer drains the stream, so that memory doesn't grow with them. A failure destroys the stream.
 */
export function writeImageArchive(image: ArchiveImage): Readable {
  const archive = pack();
  const fill = async () => {
    const config = imageConfig(image);
    const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
    archive.entry({ name: configName }, config);
    const names: string[] = [];
    for (const layer of image.layers) {
      const name = `${layer.diffId.slice('sha256:'.length)}/layer.tar`;
      names.push(name);
      const { size } = await stat(layer.path);
      await pipeline(createReadStream(layer.path), archive.entry({ name, size }));
    }
    archive.entry(
      { name: 'manifest.json' },
      JSON.stringify([{ Config: configName, RepoTags: [image.reference], Layers: names }]),
    );
    archive.finalize();
  };
  fill().catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  return Readable.from(archive);
}
