import { isAbsolute, join, resolve } from 'node:path';
import type { OptionKind } from './option-table.js';

/** What a relative path or `~/` is resolved against. */
export interface PathBase {
  readonly homeDir: string;
  readonly workingDir: string;
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `90s`, `1.5m`, `500ms` or `2h`; a bare number is seconds. Undefined where the text is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  const unit = durationUnits[match?.[2] ?? 's'];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

/**
 * A value in the type that its kind asks for. What can't be converted comes back as it was, for the schema to refuse
 * it with the user's own spelling.
 */
export function convertValue(kind: OptionKind, value: unknown, base: PathBase): unknown {
  switch (kind) {
    case 'text':
      return typeof value === 'number' ? String(value) : trimmed(value);
    case 'integer':
      return typeof value === 'string' && /^\s*-?\d+\s*$/.test(value) ? Number(value) : value;
    case 'boolean':
      return typeof value === 'string' ? convertBoolean(value) : value;
    case 'list':
      return convertList(value);
    case 'duration':
      if (typeof value === 'number') return value * 1000;
      return typeof value === 'string' ? (parseDuration(value) ?? value) : value;
    case 'file':
      return typeof value === 'string' && value.trim() !== ''
        ? resolve(base.workingDir, expandHome(value, base))
        : value;
    case 'folder':
      return typeof value === 'string' ? normalised(expandHome(value, base)) : value;
  }
}

function trimmed(value: unknown): unknown {
  return typeof value === 'string' ? value.trim() : value;
}

function convertBoolean(text: string): unknown {
  if (/^(1|true|yes|on)$/i.test(text.trim())) return true;
  if (/^(0|false|no|off)$/i.test(text.trim())) return false;
  return text;
}

/** Texts are split at commas; empty elements fall out, and of equal ones the first stays. */
function convertList(value: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) return value;
  const elements: readonly unknown[] = typeof value === 'string' ? [value] : value;
  const parts = elements.flatMap((element) =>
    typeof element === 'string' ? element.split(',').map((part) => part.trim()) : [element],
  );
  return [...new Set(parts.filter((part) => part !== ''))];
}

function expandHome(value: string, base: PathBase): string {
  const path = value.trim();
  return path === '~' || path.startsWith('~/') ? join(base.homeDir, path.slice(1)) : path;
}

/** A relative folder stays as it is and is refused: a verb run elsewhere would look for it in another place. */
function normalised(path: string): string {
  return isAbsolute(path) ? resolve(path) : path;
}
