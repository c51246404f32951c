/**
 * The release's images from one registry into another, by `hyperup images sync` and by `skopeo sync`: whole processes from
 * start to exit. Ours has an engine of its own without an image, so that it takes nothing from there.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { releaseFor } from '../../../src/release/release-for.js';
import { pushImage, startRegistry } from '../../fixtures/registry.js';
import type { Measure } from '../measures.js';
import { startEmptyEngine } from './bundle-engine.js';
import type { BenchScene } from './scene.js';
import { type CopyRun, syncByHyperup, syncBySkopeo } from './sides.js';

interface BenchVoice {
  readonly say: (line: string) => void;
  readonly throwIfInterrupted: () => void;
}

/** Puts the engine's images of the release into the scene's registry, under their paths. Gives `PATH` and `TAG` of each. */
async function pushRelease(host: string): Promise<readonly (readonly [path: string, tag: string])[]> {
  const names = releaseFor('v1.20.2').images.map(({ reference }) => {
    const [path = '', tag = ''] = reference.replace(/^[^/]*\//, '').split(':');
    return [reference, path, tag] as const;
  });
  for (const [reference, path, tag] of names) await pushImage(reference, `${host}/${path}:${tag}`);
  return names.map(([, path, tag]) => [path, tag]);
}

export async function measureSync(
  scene: BenchScene,
  runs: number,
  { say, throwIfInterrupted }: BenchVoice,
): Promise<readonly Measure[]> {
  say("the release's images into an empty registry");
  const from = scene.registry.host;
  const images = await pushRelease(from);
  const list = join(scene.workDir, 'sync.json');
  // JSON is YAML, which is what skopeo reads.
  const tags = Object.fromEntries(images.map(([path, tag]) => [path, [tag]]));
  await writeFile(list, JSON.stringify({ [from]: { 'tls-verify': false, images: tags } }));
  const engine = await startEmptyEngine();
  const sides: Record<'ours' | 'theirs', number[]> = { ours: [], theirs: [] };
  try {
    for (let round = 0; round < runs; round += 1) {
      for (const side of round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) {
        throwIfInterrupted();
        const run = await oneSync(scene, side, { from, list, engineHost: engine.host });
        sides[side].push(run.seconds);
        say(`  ${side} ${run.seconds.toFixed(2)} s, ${run.peakMb.toFixed(0)} MB`);
      }
    }
  } finally {
    await engine.close();
  }
  return [{ kind: 'ratio', name: 'sync-registry', unit: 's', goal: 1, ...sides }];
}

async function oneSync(
  { workDir }: BenchScene,
  side: 'ours' | 'theirs',
  { from, list, engineHost }: { readonly from: string; readonly list: string; readonly engineHost: string },
): Promise<CopyRun> {
  const target = await startRegistry();
  const cacheDir = join(workDir, 'cache');
  try {
    if (side === 'theirs') return await syncBySkopeo(list, target.host);
    return await syncByHyperup({ from, to: target.host, engineHost, cacheDir });
  } finally {
    await target.stop();
    await rm(cacheDir, { recursive: true, force: true });
  }
}
