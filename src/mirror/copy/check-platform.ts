import { HyperupError } from '../../base/errors.js';
import type { Platform } from '../../registry/types.js';
import type { ImageReader } from '../content/types.js';
import { configPlatform } from '../image-config.js';
import { choosePlatform, formatPlatform } from './choose-platform.js';
import { readManifest } from './read-manifest.js';

/**
 * Holds an image that is no index, of which a platform could be chosen, to the platform that was asked for: a copy would
 * take it as it is. Throws `Conflict` where its config names another one; a config that names none, or is none (other
 * artifacts have their own), is no fault. Otherwise rejects with what the reader rejects with.
 */
export async function checkPlatform(
  source: Pick<ImageReader, 'name' | 'getManifest' | 'openBlob'>,
  wanted: Platform,
  signal?: AbortSignal,
): Promise<void> {
  const root = await source.getManifest(undefined, signal);
  const manifest = readManifest(root, source.name);
  if (manifest.kind !== 'image') return;
  const { config } = manifest;
  const content = await source.openBlob(config, signal);
  const platform = await configPlatform(config, content, `read ${source.name}`).catch((error: unknown) => {
    if (error instanceof HyperupError && error.code === 'InvalidConfig') return undefined;
    throw error;
  });
  if (platform === undefined) return;
  // Many a config leaves the variant out.
  const asked = platform.variant === undefined ? { ...wanted, variant: undefined } : wanted;
  if (choosePlatform([{ ...config, platform }], asked) !== undefined) return;
  const [got, want] = [formatPlatform(platform), formatPlatform(wanted)];
  throw new HyperupError('Conflict', `find ${want} in ${source.name}: it is one image, for ${got}`, {
    hint: 'Leave --platform out to copy it as it is.',
    details: { got, want },
  });
}
