import { HyperupError, isHyperupError, messageOf } from '../../base/errors.js';
import type { ImageEngine } from '../../docker/types.js';
import type { Descriptor } from '../../registry/types.js';
import { mismatch, parseDigest, verifiedChunks } from './digest.js';
import {
  addDockerImage,
  configMember,
  type DockerImage,
  dockerTag,
  imageParts,
  isConfig,
  makeDockerManifest,
  readConfig,
} from './docker-image-set.js';
import { type EngineUpload, startEngineUpload } from './engine-upload.js';
import { parseImageConfig } from './image-manifest.js';
import { spoolChunks } from './spool.js';
import { makeTurn } from './turn.js';
import type { ContentDeps, ImageWriter } from './types.js';

const target = 'docker-daemon';
const zeros = Buffer.alloc(1024 * 1024);

/**
 * The engine, fed one tar as `docker load` takes it while the layers come in, compressed as they are (the engine
 * inflates them and checks diff ids). The list of images goes last, once everything before it was verified: until then
 * the engine loads nothing, and where the load fails midway, names and images are put back as they were. An image that
 * the engine has is only named. Errors beside the contract's: the engine's, `InvalidConfig` for an index.
 */
export async function openEngineWriter(deps: ContentDeps): Promise<ImageWriter> {
  const { engine } = deps;
  if (!engine) throw new HyperupError('Internal', `write ${target}: no engine was given`);
  const turn = makeTurn();
  const layers = new Map<string, string>();
  const configs = new Map<string, Buffer>();
  const images = new Map<string, DockerImage>();
  /** Images that the engine has, by their tags to be. */
  const present = new Map<string, Set<string>>();
  let upload: EngineUpload | undefined;
  let members = 0;

  const isPresent = async (id: string) => (await engine.inspectImage(id))?.id === id;
  const append = async (blob: Descriptor, chunks: AsyncIterable<Buffer>) => {
    upload ??= startEngineUpload(engine);
    // Attempts have names of their own: one that came to nothing is never named in the list.
    members += 1;
    const member = `layer-${members}.tar`;
    let sent = 0;
    await upload.begin(member, blob.size);
    try {
      for await (const chunk of chunks) {
        sent += chunk.length;
        await upload.send(chunk);
      }
    } catch (error) {
      if (isHyperupError(error, 'Aborted')) await upload.cancel();
      // Else it is filled up, for the tar has promised so many bytes; it may be tried again, or be done without.
      else await fillUp(upload, blob.size - sent, blob.size);
      throw error;
    }
    await upload.pad(blob.size);
    layers.set(blob.digest, member);
  };
  return {
    name: target,
    accepts: { index: false, oci: false },
    hasImage: (manifest) => isPresent(imageParts(manifest, target).config.digest),
    hasBlob: async (blob) => layers.has(blob.digest) || configs.has(blob.digest),
    putBlob: async (blob, content, signal) => {
      const action = `write ${isConfig(blob) ? 'config' : 'layer'} ${blob.digest} to ${target}`;
      parseDigest(blob.digest, action);
      if (isConfig(blob)) {
        configs.set(blob.digest, await readConfig(blob, content, target, signal));
        return;
      }
      const release = turn.tryTake();
      if (release) {
        await append(blob, verifiedChunks(blob, content, action, signal)).finally(release);
        return;
      }
      const spool = await spoolChunks(verifiedChunks(blob, content, action, signal), deps.tmpDir);
      const later = await turn.take();
      try {
        await append(blob, verifiedChunks(blob, spool.open(), action, signal));
      } finally {
        later();
        await spool.remove();
      }
    },
    putManifest: async (manifest, reference) => {
      const { config, layers: wanted, action } = imageParts(manifest, target);
      const tag = dockerTag(reference);
      const bytes = configs.get(config.digest);
      const missing = wanted.find((layer) => !layers.has(layer.digest));
      if (bytes && !missing) {
        const { diffIds } = parseImageConfig(bytes, `${action}: config ${config.digest}`);
        if (diffIds.length !== wanted.length) {
          throw mismatch(action, `${wanted.length} layers, want ${diffIds.length} as its config says`);
        }
        const names = wanted.map((layer) => layers.get(layer.digest) ?? '');
        addDockerImage(images, config.digest, names, tag);
        return;
      }
      if (!(await isPresent(config.digest))) {
        const blob = bytes ? `layer ${missing?.digest}` : `config ${config.digest}`;
        throw new HyperupError('NotFound', `${action}: ${blob} is missing`);
      }
      const tags = present.get(config.digest) ?? new Set();
      if (tag !== undefined) tags.add(tag);
      present.set(config.digest, tags);
    },
    commit: async () => {
      const undo = makeUndo(engine);
      try {
        for (const image of images.values()) {
          for (const name of [...image.tags, image.config]) await undo.remember(name);
        }
        for (const tag of [...present.values()].flatMap((tags) => [...tags])) await undo.remember(tag);
        if (images.size > 0) {
          upload ??= startEngineUpload(engine);
          await finishUpload(upload, images, configs);
          upload = undefined;
          for (const image of images.values()) await checkLoaded(engine, image);
        }
        for (const [id, tags] of present) for (const tag of tags) await engine.tagImage(id, tag);
      } catch (error) {
        await upload?.cancel();
        const left = await undo.run();
        if (left.length > 0)
          deps.logger.warn('Could not put back an image name', { names: left, err: messageOf(error) });
        throw error;
      }
      await upload?.cancel();
    },
    abort: async () => upload?.cancel(),
  };
}

async function fillUp(upload: EngineUpload, bytes: number, size: number): Promise<void> {
  for (let left = bytes; left > 0; left -= zeros.length) await upload.send(zeros.subarray(0, left));
  await upload.pad(size);
}

async function finishUpload(
  upload: EngineUpload,
  images: ReadonlyMap<string, DockerImage>,
  configs: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const list = makeDockerManifest(images.values());
  const small = [...images.keys()].map(
    (digest) => [configMember(digest), configs.get(digest) ?? Buffer.alloc(0)] as const,
  );
  for (const [name, bytes] of [...small, ['manifest.json', list] as const]) {
    await upload.begin(name, bytes.length);
    if (bytes.length > 0) await upload.send(bytes);
    await upload.pad(bytes.length);
  }
  await upload.finish();
}

function namesOf(image: DockerImage): readonly string[] {
  return image.tags.size === 0 ? [image.config] : [...image.tags];
}

/** With the containerd image store an id is a manifest's digest, which the store made and names among the digests. */
async function checkLoaded(engine: ImageEngine, image: DockerImage): Promise<void> {
  for (const name of namesOf(image)) {
    const found = await engine.inspectImage(name);
    if (found?.id === image.config) continue;
    if (found?.digests.some((digest) => digest.endsWith(`@${found.id}`)) === true) continue;
    if (!found && image.tags.size === 0) continue;
    throw mismatch(`load ${name} into the engine`, `${found ? `image ${found.id}` : 'no image'}, want ${image.config}`);
  }
}

/** What names stood for before, and how to have that again. */
function makeUndo(engine: ImageEngine) {
  const before = new Map<string, string | undefined>();
  return {
    remember: async (name: string) => {
      before.set(name, (await engine.inspectImage(name))?.id);
    },
    /** Gives the names that could not be put back; never rejects. */
    run: async (): Promise<readonly string[]> => {
      const left: string[] = [];
      for (const [name, id] of before) {
        try {
          if ((await engine.inspectImage(name))?.id === id) continue;
          if (id === undefined) await engine.removeImage(name);
          else await engine.tagImage(id, name);
        } catch {
          left.push(name);
        }
      }
      return left;
    },
  };
}
