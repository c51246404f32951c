import { HyperupError, messageOf } from '../base/errors.js';
import { hidePassword } from '../base/hide-password.js';
import { baseName, formatReference, type ImageReference, parseReference } from '../registry/reference.js';
import type { Mirror } from './mirror.js';
import { type MirrorPreset, mirrorPresets } from './presets.js';

/** A list of sources as the user ordered it. */
export interface MirrorList {
  /** `upstream` stands for the canonical name itself. */
  readonly entries: readonly (Mirror | 'upstream')[];
}

const hostPattern = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?$/;
const placeholders = /\{([^{}]*)\}/g;
const knownPlaceholders: readonly string[] = ['name', 'path', 'domain', 'tag'];

/**
 * Reads `--mirror` values in order. Each is one of
 * - a preset's name (`cn`): its mirrors, in the preset's order;
 * - `HOST[:PORT][/PATH]`: images below it, under their full path first, then under their last element alone
 *   (`…/coredns/coredns`, then `…/coredns`);
 * - a template with `{name}` (last element), `{path}` (whole repository path), `{domain}` (original registry) or
 *   `{tag}` (appended unless written): `m.daocloud.io/{domain}/{path}`, `docker.io/rancher/{name}:{tag}-rancher1`;
 * - `upstream`: the canonical name, which otherwise is tried after all mirrors;
 * - `none`: never the canonical name.
 * Repeated entries are dropped. Throws `InvalidConfig` for anything else.
 */
export function parseMirrors(words: readonly string[]): MirrorList {
  const entries: (Mirror | 'upstream')[] = [];
  let none = false;
  for (const written of words) {
    const word = written.trim();
    const preset = presetNamed(word);
    if (word === 'none') none = true;
    else if (word === 'upstream') entries.push('upstream');
    else if (preset) entries.push(...preset.mirrors);
    else entries.push(parseMirror(word));
  }
  if (none && entries.includes('upstream')) {
    throw new HyperupError('InvalidConfig', 'read mirrors: got both "none" and "upstream", want at most one of them');
  }
  if (!none) entries.push('upstream');
  const keys = entries.map((entry) => (entry === 'upstream' ? entry : entry.templates.join(' ')));
  return { entries: entries.filter((_, index) => keys.indexOf(keys[index] ?? '') === index) };
}

/** The names that a mirror may hold an image under, in the order to try; empty where it doesn't copy that registry. */
export function mirrorCandidates(mirror: Mirror, original: ImageReference): readonly ImageReference[] {
  if (mirror.domains && !mirror.domains.includes(original.domain)) return [];
  const names = mirror.templates.map((template) => formatReference(fillTemplate(template, original)));
  return [...new Set(names)].map(parseReference);
}

function presetNamed(word: string): MirrorPreset | undefined {
  return mirrorPresets.find((preset) => preset.name === word);
}

function parseMirror(word: string): Mirror {
  const scheme = /^(https?):\/\//i.exec(word)?.[1]?.toLowerCase();
  const place = word.replace(/^https?:\/\//i, '').replace(/\/+$/, '');
  const slash = place.indexOf('/');
  const host = slash === -1 ? place : place.slice(0, slash);
  const presets = mirrorPresets.map((preset) => preset.name).join(', ');
  if (!hostPattern.test(host)) {
    throw badMirror(word, `"${host}" is not HOST[:PORT]`, `Write a host, or one of the presets: ${presets}.`);
  }
  // Docker takes a first element without dot or port for a Docker Hub account; silence here would ask the wrong registry.
  if (host !== 'localhost' && !/[.:]/.test(host)) {
    throw badMirror(
      word,
      'it is neither a preset nor a host',
      `Presets: ${presets}. For an account on Docker Hub write docker.io/${host}.`,
    );
  }
  for (const [, placeholder = ''] of place.matchAll(placeholders)) {
    if (!knownPlaceholders.includes(placeholder)) {
      throw badMirror(word, `"{${placeholder}}" is not known`, 'Use {name}, {path}, {domain} or {tag}.');
    }
  }
  const isTemplate = /\{(?:name|path)\}/.test(place);
  if (!isTemplate && place.includes('{')) {
    throw badMirror(word, 'the template has no {name} or {path}', 'Add {name} or {path} where the repository goes.');
  }
  const mirror: Mirror = {
    name: place,
    ...(scheme === 'http' || scheme === 'https' ? { scheme } : {}),
    // The whole path first: a flat name could be another repository's with the same last element.
    templates: isTemplate ? [place] : [`${place}/{path}`, `${place}/{name}`],
  };
  try {
    mirrorCandidates(mirror, { domain: 'registry.example', path: 'a/b', tag: 'c' });
  } catch (error) {
    throw badMirror(word, messageOf(error), 'Write HOST[:PORT][/PATH] with a lowercase path.');
  }
  return mirror;
}

function fillTemplate(template: string, original: ImageReference): ImageReference {
  const tag = original.tag ?? (original.digest === undefined ? 'latest' : undefined);
  const values: Record<string, string> = {
    name: baseName(original),
    path: original.path,
    domain: original.domain,
    tag: tag ?? 'latest',
  };
  const filled = parseReference(template.replace(placeholders, (_, key: string) => values[key] ?? ''));
  return {
    domain: filled.domain,
    path: filled.path,
    tag: filled.tag ?? tag,
    digest: original.digest,
  };
}

function badMirror(word: string, reason: string, hint: string): HyperupError {
  return new HyperupError('InvalidConfig', hidePassword(`read mirror "${word}": ${reason}`), {
    hint,
    details: { mirror: hidePassword(word) },
  });
}
