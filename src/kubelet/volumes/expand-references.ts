/**
 * Replaces `$(NAME)` by what `lookUp` gives; `$$` is a dollar sign, and what isn't closed stays (v1.20
 * `third_party/forked/golang/expansion/expand.go`). Pure.
 */
export function expandReferences(text: string, lookUp: (name: string) => string): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) =>
    match === '$$' ? '$' : lookUp(name ?? ''),
  );
}
