/**
 * A command line that runs one of the host's own programs, with the host's libraries and files, where `hostRoot` says that
 * this is a container. The kubelet's image has nsenter(1) and next to nothing else.
 */
export function hostCommand(hostRoot: string, command: readonly [string, ...string[]]): [string, readonly string[]] {
  const [file, ...args] = command;
  return hostRoot === '' ? [file, args] : ['nsenter', [`--root=${hostRoot}`, '--', file, ...args]];
}
