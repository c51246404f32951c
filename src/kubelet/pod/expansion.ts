import { PodFailure } from '../types.js';

/**
 * Replaces `$(NAME)` by what `lookup` gives and `$$` by `$`; a reference without a value stays as it is, and so does
 * everything else. What was put in is not expanded again (v1.20 `third_party/forked/golang/expansion`).
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) =>
    name === undefined ? '$' : (lookup(name) ?? whole),
  );
}

/** A container's `command` or `args` with its environment put in. */
export function expandArgs(args: readonly string[], environment: ReadonlyMap<string, string>): string[] {
  return args.map((arg) => expand(arg, (name) => environment.get(name)));
}

/**
 * A `subPathExpr`: every name has to have a value that isn't empty. Throws PodFailure `CreateContainerConfigError` that
 * names those without (v1.20 `pkg/kubelet/container/helpers.go` `ExpandContainerVolumeMounts`).
 */
export function expandStrict(text: string, environment: ReadonlyMap<string, string>): string {
  const missing = new Set<string>();
  const expanded = expand(text, (name) => {
    const value = environment.get(name) ?? '';
    if (value === '') missing.add(name);
    return value;
  });
  if (missing.size > 0) {
    throw new PodFailure('CreateContainerConfigError', `missing value for ${[...missing].sort().join(', ')}`);
  }
  return expanded;
}
