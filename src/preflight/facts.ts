import type { ClusterOptions } from '../config/types.js';
import type { EngineInfo } from '../docker/types.js';
import type { CgroupLayout } from '../host/cgroups.js';
import type { NetfilterTable } from '../host/iptables-save.js';
import type { Route } from '../host/links.js';
import type { DiskSpace, MemoryInfo } from '../host/memory-disk.js';
import type { Propagation } from '../host/mountinfo.js';
import type { ListeningPort } from '../host/ports.js';

/** A fact, or why it could not be had. */
export type Known<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly reason: string };

export interface EngineFact {
  /** Undefined where no engine answered. */
  readonly info: EngineInfo | undefined;
  readonly message: string;
  readonly hint: string;
}

export interface PrivilegedFact {
  /** `yes` and `no` are proven by a container that was run; `unproven` where none could be. */
  readonly runs: 'yes' | 'no' | 'unproven';
  readonly message: string;
  /** Capabilities that the engine's own process lacks. */
  readonly missingCapabilities: readonly string[];
}

export interface PortFact extends ListeningPort {
  /** True where a process of our own cluster has it. */
  readonly own: boolean;
  readonly cmdline: string;
}

export interface DiskFact extends DiskSpace {
  readonly role: 'images' | 'etcd' | 'state' | 'pods';
}

export interface NameFact {
  readonly hostname: string;
  /** What the host name resolves to; empty where it doesn't. */
  readonly hostnameAddresses: readonly string[];
  /** The addresses of this machine's own interfaces. */
  readonly localAddresses: readonly string[];
}

export interface ResolverFact {
  readonly path: string;
  /** Undefined where there is no such file. */
  readonly nameservers: readonly string[] | undefined;
  readonly searches: readonly string[];
  /** The file for pods, by `chooseResolvConf`. */
  readonly chosen: string;
  readonly chosenNameservers: readonly string[];
}

export interface ClockFact {
  readonly nowMs: number;
  /** The newest moment that something on this machine claims to have been made at: images, our own program. */
  readonly newestKnownMs: number;
  readonly newestKnown: string;
}

/** One sign of a cluster on this machine. */
export interface InstallTrace {
  /** Who made it, as far as its place tells. */
  readonly maker: string;
  readonly what: string;
  /** True where it is in our way: a file that we would write, a program that holds our ports. */
  readonly blocking: boolean;
}

export interface FormerInstallFact {
  /** Changes that our own journal says still stand. */
  readonly journaledChanges: number;
  readonly traces: readonly InstallTrace[];
}

export interface FirewallFact {
  readonly firewalld: boolean;
  readonly ufw: boolean;
}

export interface KernelFact {
  readonly release: string;
  readonly overlay: boolean;
}

/** All that the checks look at, each gathered by itself, so that one that hangs or fails spoils no other. */
export interface Facts {
  readonly cluster: Known<ClusterOptions>;
  readonly uid: Known<number>;
  readonly engine: Known<EngineFact>;
  readonly privileged: Known<PrivilegedFact>;
  readonly cgroups: Known<CgroupLayout>;
  readonly ports: Known<readonly PortFact[]>;
  readonly memory: Known<MemoryInfo>;
  readonly disks: Known<readonly DiskFact[]>;
  readonly cpus: Known<number>;
  /** Values by key; undefined for a setting that this kernel hasn't got. */
  readonly sysctls: Known<Readonly<Record<string, string | undefined>>>;
  readonly propagation: Known<Propagation>;
  readonly names: Known<NameFact>;
  readonly routes: Known<readonly Route[]>;
  readonly resolver: Known<ResolverFact>;
  readonly clock: Known<ClockFact>;
  readonly formerInstall: Known<FormerInstallFact>;
  readonly firewall: Known<FirewallFact>;
  /** `enforcing`, `permissive`, or `off` where the kernel has none. */
  readonly selinux: Known<'enforcing' | 'permissive' | 'off'>;
  /** Undefined where the host has no iptables program. */
  readonly netfilter: Known<readonly NetfilterTable[] | undefined>;
  readonly kernel: Known<KernelFact>;
}

/** A fact that could be had. */
export function known<T>(value: T): Known<T> {
  return { known: true, value };
}

/** A fact that could not. */
export function unknown(reason: string): { readonly known: false; readonly reason: string } {
  return { known: false, reason };
}
