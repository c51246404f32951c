const maxNameBytes = 255;

/**
 * A name's text in wire form, the root's byte included, in lower case or as it is; undefined where it is no name that
 * fits (labels of 1 to 63 bytes, 255 in all). A dot at the end is one too few or too many and means nothing.
 */
export function encodeName(text: string): Buffer | undefined {
  const plain = text.endsWith('.') ? text.slice(0, -1) : text;
  const labels = plain === '' ? [] : plain.split('.');
  const parts: Buffer[] = [];
  for (const label of labels) {
    const bytes = Buffer.from(label, 'utf8');
    if (bytes.length === 0 || bytes.length > 63) return undefined;
    parts.push(Buffer.of(bytes.length), bytes);
  }
  const whole = Buffer.concat([...parts, Buffer.of(0)]);
  return whole.length > maxNameBytes ? undefined : whole;
}

/** The key that a query's name has: its wire form in lower case, a character a byte. Undefined as with `encodeName`. */
export function nameKey(text: string): string | undefined {
  return encodeName(text.toLowerCase())?.toString('latin1');
}

/**
 * The text of a name that stands in a message, compression followed; undefined where it is cut short, loops, or has
 * a label that text can't hold. For what isn't hot.
 */
export function readName(message: Buffer, start: number): string | undefined {
  const labels: string[] = [];
  let at = start;
  let bytes = 0;
  /** Pointers must lead backwards, each further than the last: that can't loop. */
  let before = start;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return labels.join('.');
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | (message[at + 1] ?? 0);
      if (at + 1 >= message.length || target >= before) return undefined;
      before = target;
      at = target;
      continue;
    }
    bytes += length + 1;
    if (length > 63 || bytes > maxNameBytes || at + 1 + length > message.length) return undefined;
    const label = message.toString('latin1', at + 1, at + 1 + length);
    if (label.includes('.')) return undefined;
    labels.push(label);
    at += 1 + length;
  }
}

/** Where a name that begins there ends, pointers not followed; -1 where it is cut short or malformed. */
export function skipName(message: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined) return -1;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2 <= message.length ? at + 2 : -1;
    if (length > 63 || at - start > maxNameBytes) return -1;
    at += 1 + length;
  }
}
