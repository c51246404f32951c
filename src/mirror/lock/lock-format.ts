import { load, YAMLException } from 'js-yaml';
import * as z from 'zod';
import { HyperupError, messageOf } from '../../base/errors.js';
import { isIndexType } from '../content/image-manifest.js';
import { mediaTypes } from '../content/media-types.js';
import { parsePlatform } from '../copy/choose-platform.js';
import { lockKey } from './lookup.js';
import type { ImageLock, LockEntry, LockedPlatform } from './types.js';

const { dockerManifest, dockerList, ociManifest, ociIndex } = mediaTypes;

const digestWords = 'sha256:<64 hex digits>';
const digest = z.string().regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, `want ${digestWords}`);
const size = z.number('want a number of bytes').int('want a whole number of bytes').nonnegative('want at least 0');
const platform = z.strictObject({
  manifest: digest,
  config: digest,
  size,
  layers: z.array(digest).optional(),
});
const instant = z.string().refine((text) => isInstant(text), 'want a time such as 2026-11-22T08:00:00Z');
const entry = z.strictObject({
  digest,
  mediaType: z.enum([dockerManifest, dockerList, ociManifest, ociIndex], 'want the media type of a manifest or index'),
  platforms: z.record(z.string(), platform),
  source: z.string().min(1, 'want the reference that was believed'),
  at: instant,
});
const lockSchema = z.strictObject({ version: z.literal(1), images: z.record(z.string(), entry) });

/**
 * Reads a lock's text. `file` names it in errors. JSON, because a text that was cut off never is. Throws
 * `InvalidConfig` naming every fault: no JSON, a key that is there twice, another version, unknown keys, malformed
 * references, digests, platforms, and entries that contradict themselves.
 */
export function parseLock(text: string, file: string): ImageLock {
  const json = parseJson(text, file);
  checkKeys(text, file);
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
  if (typeof version === 'number' && version !== 1) {
    throw invalid(file, [`version: got ${version}, want 1`], 'A newer hyperup wrote it: use that one.');
  }
  const parsed = lockSchema.safeParse(json);
  if (!parsed.success)
    throw invalid(
      file,
      parsed.error.issues.flatMap((issue) => faultLines(issue, json)),
    );
  const faults = Object.entries(parsed.data.images).flatMap(([key, value]) => entryFaults(key, value));
  if (faults.length > 0) throw invalid(file, faults);
  return parsed.data;
}

/** The lock as text, the inverse of `parseLock`: keys in order, so that equal locks are equal files. */
export function formatLock(lock: ImageLock): string {
  const images = sorted(lock.images, (value: LockEntry) => ({
    digest: value.digest,
    mediaType: value.mediaType,
    platforms: sorted(value.platforms, ({ manifest, config, size: bytes, layers }: LockedPlatform) => ({
      manifest,
      config,
      size: bytes,
      ...(layers === undefined ? {} : { layers }),
    })),
    source: value.source,
    at: value.at,
  }));
  return `${JSON.stringify({ version: lock.version, images }, undefined, 2)}\n`;
}

function sorted<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  const keys = Object.keys(record).toSorted();
  return Object.fromEntries(keys.flatMap((key) => (record[key] === undefined ? [] : [[key, map(record[key])]])));
}

function parseJson(text: string, file: string): unknown {
  if (text.trim() === '') throw invalid(file, ['it is empty']);
  try {
    return JSON.parse(text);
  } catch (error) {
    const cut = !text.trimEnd().endsWith('}');
    const reason = cut ? 'it is cut off: it does not end with "}"' : `it is not JSON: ${messageOf(error)}`;
    throw invalid(file, [reason], 'Make it anew with hyperup images lock.');
  }
}

/** JSON takes the last of two equal keys without a word; YAML, of which JSON is a part, refuses them. */
function checkKeys(text: string, file: string): void {
  try {
    load(text, { filename: file });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    if (!/duplicated mapping key/.test(error.reason)) return;
    const line = text.split('\n')[error.mark.line]?.trim() ?? '';
    const key = /^"(?:[^"\\]|\\.)*"/.exec(line)?.[0] ?? line.slice(0, 80);
    throw invalid(file, [`line ${error.mark.line + 1}: the key ${key} is there twice`]);
  }
}

function faultLines(issue: z.core.$ZodIssue, root: unknown): readonly string[] {
  const where = issue.path.map((part) => String(part));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${placeOf([...where, key])}: unknown key`);
  }
  const got = where.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    root,
  );
  const want = /^want /.test(issue.message) ? issue.message : `want ${wantedOf(issue)}`;
  return [`${placeOf(where)}: got ${got === undefined ? 'nothing' : shortJson(got)}, ${want}`];
}

function wantedOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(' or ');
  if (issue.code === 'invalid_type') return `a value of type ${issue.expected}`;
  return issue.message;
}

/** `images "k8s.gcr.io/etcd:3.4.13-0": platforms.linux/amd64.config`. */
function placeOf(path: readonly string[]): string {
  const [first, key, ...rest] = path;
  if (first === undefined) return 'the lock';
  if (first !== 'images' || key === undefined) return path.join('.');
  return rest.length === 0 ? `images "${key}"` : `images "${key}": ${rest.join('.')}`;
}

function shortJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}

function entryFaults(key: string, value: LockEntry): readonly string[] {
  const place = `images "${key}"`;
  const faults: string[] = [];
  try {
    const want = lockKey(key);
    if (want !== key) faults.push(`${place}: want it in full as "${want}"`);
  } catch (error) {
    faults.push(`${place}: ${messageOf(error)}`);
  }
  const names = Object.keys(value.platforms);
  if (names.length === 0) faults.push(`${place}: platforms: got none, want at least one`);
  for (const name of names) {
    if (!isPlatform(name)) faults.push(`${place}: platforms: got "${name}", want os/architecture[/variant]`);
  }
  if (!isIndexType(value.mediaType)) {
    const [first] = Object.values(value.platforms);
    if (names.length > 1) faults.push(`${place}: got ${names.length} platforms, want one: it is no index`);
    else if (first && first.manifest !== value.digest) {
      faults.push(
        `${place}: platforms.${names[0]}.manifest: got ${first.manifest}, want ${value.digest}: it is no index`,
      );
    }
  }
  return faults;
}

function isPlatform(name: string): boolean {
  try {
    parsePlatform(name);
    return true;
  } catch {
    return false;
  }
}

function isInstant(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/.test(text) && !Number.isNaN(Date.parse(text));
}

function invalid(file: string, faults: readonly string[], hint?: string): HyperupError {
  const [first = 'malformed'] = faults;
  const text =
    faults.length === 1 ? first : `${faults.length} faults\n${faults.map((fault) => `  - ${fault}`).join('\n')}`;
  return new HyperupError('InvalidConfig', `read ${file}: ${text}`, {
    hint: hint ?? 'Correct it, or make it anew with hyperup images lock.',
    details: { file, faults },
  });
}
