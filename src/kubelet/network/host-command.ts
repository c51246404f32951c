/**
 * A command line that runs one of the host's own programs, with the host's libraries and files, where `hostRoot` says that
 * this is a container; in other namespaces where `enter` has nsenter's words for them. The kubelet's image has nsenter(1) and
 * next to nothing else.
 */
export function hostCommand(
  hostRoot: string,
  command: readonly [string, ...string[]],
  enter: readonly string[] = [],
): [string, readonly string[]] {
  const [file, ...args] = command;
  const words = hostRoot === '' ? enter : [`--root=${hostRoot}`, ...enter];
  return words.length === 0 ? [file, args] : ['nsenter', [...words, '--', file, ...args]];
}
