const codes = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

export type Paint = (color: keyof typeof codes, text: string) => string;

/** Colours text, or leaves it alone where colours are off. */
export function painter(enabled: boolean): Paint {
  return (color, text) => (enabled && text !== '' ? `\u001B[${codes[color]}m${text}\u001B[0m` : text);
}
