/**
 * The text with the passwords of its `USER:PASSWORD@HOST` hidden, for messages about references, mirrors and locations that
 * somebody wrote with their login in them. `NAME:TAG@sha256:…` and the paths of `oci:PATH` stay as they are.
 */
export function hidePassword(text: string): string {
  return text.replace(loginPattern, '$1:…@');
}

/** A host has a dot or a port, which tells it from most of what else follows an `@`. */
const loginPattern =
  /(?<![\w-])(?!oci:|oci-archive:|docker-archive:|docker-daemon:)([^\s:@/"]+):[^\s@/"]+@(?!sha\d+:)(?=[\w-]*[.:]|localhost)/g;
