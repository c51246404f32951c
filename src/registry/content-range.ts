/** The part of a whole that an answer has. */
export interface ContentRange {
  /** Undefined in an answer of 416. */
  readonly part: { readonly start: number; readonly end: number } | undefined;
  /** Undefined where it is unknown. */
  readonly total: number | undefined;
}

/**
 * `bytes 0-499/1234`, `bytes 0-499/*`, an asterisk in place of the part; `end` is the last byte's place. Undefined where it is malformed or
 * contradicts itself. Source: RFC 9110, 14.4.
 */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const found = /^\s*bytes\s+(?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)\s*$/i.exec(value ?? '');
  if (found === null) return undefined;
  const [, start, end, whole] = found;
  const total = whole === '*' ? undefined : Number(whole);
  if (start === undefined) return total === undefined ? undefined : { part: undefined, total };
  const part = { start: Number(start), end: Number(end) };
  if (part.end < part.start || (total !== undefined && part.end >= total)) return undefined;
  return { part, total };
}

/**
 * How many bytes an upload has: `0-499`, as registries write it, or `bytes=0-499`; an empty one has `0-0` in some, which
 * is also what one byte has. Undefined where there is none or it is malformed.
 * Source: OCI distribution spec v1.1, "Pushing a blob in chunks".
 */
export function parseUploadRange(value: string | undefined): number | undefined {
  const found = /^\s*(?:bytes[= ])?0-(-?\d{1,15})\s*$/.exec(value ?? '');
  if (found?.[1] === undefined) return undefined;
  const last = Number(found[1]);
  return last <= 0 ? 0 : last + 1;
}
