const shell = ['/bin/busybox', 'sh', '-c'];

/** What the contract runs in containers. The fake arranges each; a real engine runs it from busybox. */
export const contractPrograms = {
  quick: { command: ['/bin/busybox', 'true'] },
  /** Says one line and stays. As process 1 it has no handler for SIGTERM, so only SIGKILL ends it. */
  sleeper: { command: [...shell, 'echo asleep; /bin/busybox sleep 300'] },
  /** Writes to both streams, with time between so that the order of arrival is certain, and fails with 3. */
  talker: {
    command: [
      ...shell,
      'echo one; /bin/busybox usleep 50000; echo two >&2; /bin/busybox usleep 50000; echo three; exit 3',
    ],
  },
  /** Ends with 7 on SIGTERM. */
  polite: {
    command: [...shell, 'trap "exit 7" TERM; echo ready; while :; do /bin/busybox usleep 20000; done'],
  },
  /** 256 kB of output in lines, more than any buffer between here and there holds at once. */
  large: {
    command: [...shell, '/bin/busybox yes 0123456789abcdex | /bin/busybox head -n 15421'],
    lines: 15_421,
    bytes: 15_421 * 17,
  },
  missing: { command: ['/bin/there-is-no-such-program'] },
  environment: { command: [...shell, 'echo "$GREETING"; /bin/busybox id -u'] },
} as const;
