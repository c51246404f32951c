/** A reference cut as Docker's API wants it: what `repo`/`fromImage` takes, and what `tag` takes (a tag or a digest). */
export interface ReferenceParts {
  readonly repository: string;
  readonly tag: string;
}

/** Without tag and digest `latest` is meant; a digest outranks a tag. Validation is the engine's. */
export function splitReference(reference: string): ReferenceParts {
  const at = reference.indexOf('@');
  const named = at < 0 ? reference : reference.slice(0, at);
  const colon = named.lastIndexOf(':');
  // A colon before the last slash belongs to the registry's port.
  const hasTag = colon > named.lastIndexOf('/');
  const repository = hasTag ? named.slice(0, colon) : named;
  if (at >= 0) return { repository, tag: reference.slice(at + 1) };
  return { repository, tag: hasTag ? named.slice(colon + 1) : 'latest' };
}

/** A reference or id as a part of an URL's path: everything escaped but what references are made of. */
export function pathOf(reference: string): string {
  return encodeURIComponent(reference).replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%40/g, '@');
}
