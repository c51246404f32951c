/** A registry that may hold copies of other registries' images, and the names that it holds them under. */
export interface Mirror {
  /** What the user wrote, or the preset's host; names the mirror in messages. */
  readonly name: string;
  /** Set where the user wrote a scheme; only the probe uses it, the engine decides for itself. */
  readonly scheme?: 'http' | 'https' | undefined;
  /** Tried in order; `{name}`, `{path}`, `{domain}` and `{tag}` are filled in. */
  readonly templates: readonly string[];
  /** The original registries that it copies; undefined: any. */
  readonly domains?: readonly string[] | undefined;
}
