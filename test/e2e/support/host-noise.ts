import type { SectionName } from './host-snapshot.js';

/** Lines of a snapshot that change by themselves, and why. */
export interface NoisePattern {
  readonly section: SectionName;
  readonly line: RegExp;
  readonly why: string;
}

/** What changes on a host whether or not hyperup is there. Nothing that hyperup makes may match. */
export const hostNoise: readonly NoisePattern[] = [
  {
    section: 'mounts',
    line: /^\/run\/docker\/netns\/default /,
    why: 'the engine makes it with its first container in the host network, and keeps it',
  },
  {
    section: 'mounts',
    line: /^\/var\/lib\/docker propagation private$/,
    why: 'some storage drivers remount their folder when the first container starts',
  },
  {
    section: 'addresses',
    line: /^docker0 inet6 fe80:/,
    why: 'the kernel gives the bridge its link-local address when it first carries traffic',
  },
  {
    section: 'routes',
    line: /(^|\s)(fe80:\S*|ff00::\/8|multicast ff00::\/8) dev docker0\b/,
    why: "they come with the bridge's link-local address",
  },
  {
    section: 'routes',
    line: /^(local|anycast) fe80:\S* dev docker0\b/,
    why: "they come with the bridge's link-local address",
  },
  {
    section: 'sysctls',
    line: /^(fs\.(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota\.\S+)|kernel\.(random\.\S+|ns_last_pid|pty\.nr)|net\.netfilter\.nf_conntrack_count)=/,
    why: 'counters of the kernel',
  },
  {
    section: 'files',
    line: /^\/(run|var\/lib)\/(docker|containerd|apt|dpkg|systemd|udev|docker-registry|polkit-1|PackageKit|private|dhcp|chrony|NetworkManager)\//,
    why: "the engine's, the packagers' and the services' own state",
  },
  {
    section: 'files',
    line: /^\/run\/(docker\.(sock|pid)|containerd|xtables\.lock|ebtables\.lock|mount|utmp|user|systemd|udev|log|lock)\b/,
    why: 'services of the host, and what any mount or iptables command leaves for the next',
  },
  {
    section: 'files',
    line: /^\/var\/log\/(?!pods\b|containers\b|kube|hyperup(?!-test))/,
    why: "the host's own logs grow, those of the tests' set-up among them",
  },
  {
    section: 'files',
    line: /^\/etc\/(docker\/key\.json|mtab|ld\.so\.cache|resolv\.conf|adjtime|\.pwd\.lock) /,
    why: "the engine's, the linker's and the network's own files",
  },
];
