import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startRegistry, type TestRegistry } from '../../fixtures/registry.js';
import { type LayerKind, writeBenchImage } from './bench-image.js';

/** A registry with the bench's images, and room for targets. */
export interface BenchScene {
  readonly registry: TestRegistry;
  /** A folder of the bench's own. */
  readonly workDir: string;
  /** Makes an image and puts it into `registry` as `PATH:v1`. */
  add(path: string, layerBytes: number, kind: LayerKind): Promise<void>;
  /** An empty place to copy to, in the words of both sides; `done` takes it away. */
  target(transport: TargetTransport): Promise<{ readonly word: string; done(): Promise<void> }>;
  close(): Promise<void>;
}

export type TargetTransport = 'registry' | 'oci' | 'docker-archive';

const run = promisify(execFile);

export async function openBenchScene(): Promise<BenchScene> {
  const workDir = await mkdtemp(join(tmpdir(), 'hyperup-bench-images-'));
  const registry = await startRegistry();
  const others = new Set<TestRegistry>();
  let targets = 0;
  let seed = 20_230_901;
  return {
    registry,
    workDir,
    async add(path, layerBytes, kind) {
      const folder = join(workDir, 'layout');
      seed += 1;
      await writeBenchImage(folder, layerBytes, kind, seed);
      const target = `docker://${registry.host}/${path}:v1`;
      await run('skopeo', [
        'copy',
        '--quiet',
        '--format',
        'v2s2',
        '--dest-tls-verify=false',
        `oci:${folder}:bench`,
        target,
      ]);
      await rm(folder, { recursive: true });
      await run('sync');
    },
    async target(transport) {
      targets += 1;
      const place = join(workDir, `target-${targets}`);
      const remove = async () => {
        await rm(place, { recursive: true, force: true });
        // What one side leaves to be written must not slow the other down.
        await run('sync');
      };
      if (transport === 'oci') return { word: `oci:${place}:bench`, done: remove };
      if (transport === 'docker-archive') return { word: `docker-archive:${place}:bench/image:v1`, done: remove };
      // A new one each time: a registry that has the blob, and a side that remembers so, would make it another race.
      const other = await startRegistry();
      others.add(other);
      const done = async () => {
        others.delete(other);
        await other.stop();
        await remove();
      };
      return { word: `docker://${other.host}/bench/image:v1`, done };
    },
    async close() {
      await Promise.all([registry, ...others].map((each) => each.stop()));
      await rm(workDir, { recursive: true, force: true });
    },
  };
}
