/** What a token must allow on a repository. */
export function repositoryScope(path: string, actions: 'pull' | 'pull,push' | 'pull,push,delete'): string {
  return `repository:${path}:${actions}`;
}

/**
 * The scopes to ask a token for: those that the registry's challenge names, which may be of other names than ours where
 * it is a mirror, with our actions added to theirs; ours where it names none. Pure.
 * Source: distribution docs, "Token Scope Documentation".
 */
export function mergeScopes(ours: readonly string[], theirs: readonly string[]): readonly string[] {
  if (theirs.length === 0) return ours;
  return theirs.map((scope) => {
    const { resource, actions } = split(scope);
    const same = ours.map(split).find((own) => own.resource === resource);
    return same ? `${resource}:${[...new Set([...same.actions, ...actions])].join(',')}` : scope;
  });
}

/** The type and name may have colons in them: a host's port. */
function split(scope: string): { readonly resource: string; readonly actions: readonly string[] } {
  const colon = scope.lastIndexOf(':');
  return { resource: scope.slice(0, colon), actions: scope.slice(colon + 1).split(',') };
}
