import { access, readFile } from 'node:fs/promises';
import { nthAddress } from '../../base/cidr.js';
import type { Clock } from '../../base/clock.js';
import { HyperupError, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import type { RunCommand } from '../../base/run-command.js';
import { localAddresses } from '../../config/host-facts.js';
import type { BridgeNetwork, RuntimeEngine, RuntimeInfo } from '../../docker/runtime-types.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { PodNetwork } from '../types.js';
import { setHairpin } from './hairpin.js';
import { hostCommand } from './host-command.js';
import { addressArguments, podAddresses, podLink } from './pod-links.js';

export interface PodNetworkOptions {
  /** Where not, it knows those that it has connected, and connects no more. */
  readonly enabled: boolean;
  readonly engine: Pick<RuntimeEngine, 'bridgeNetwork' | 'engineVersion'>;
  readonly info: Pick<RuntimeInfo, 'defaultRuntime'>;
  readonly hostRoot: string;
  readonly run: RunCommand;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where `/proc` and `/sys` are; empty but in tests. */
  readonly root?: string | undefined;
}

interface Bridge extends BridgeNetwork {
  readonly gateway: string;
  readonly next: () => string;
}

/** An engine may come back with another network; it is asked again after so long. */
const bridgeAgeMs = 60_000;
/** After a failure pods are the engine's for so long. */
const pauseMs = 600_000;
const commandMs = 10_000;
const maxClaims = 64;

/**
 * Connects pods to the engine's own bridge without the engine. For a container on its network Docker starts itself anew
 * twice, nearly half of what a sandbox costs it; two calls of ip(8) do the same. What the engine must know of stays with it: the bridge, its firewall rules, and pods with host ports, whose ports it publishes.
 *
 * Nothing is kept and nothing has to be given back. An address is claimed by the name of the host's interface that leads
 * to it, which the kernel has only once, whoever else on this engine claims; both ends go with the pod's network namespace.
 */
export function createPodNetwork(options: PodNetworkOptions): PodNetwork {
  const { enabled, engine, info, hostRoot, run, clock, logger, root = '' } = options;
  let known: { readonly bridge: Promise<Bridge | undefined>; readonly atMs: number } | undefined;
  /** Goes on from where it was when the engine is asked anew. */
  let addresses: { readonly subnet: string; readonly next: (() => string) | undefined } | undefined;
  let pausedUntilMs = 0;
  let knowsPairs = false;
  let said: string | undefined;

  const refuse = (reason: string): undefined => {
    if (said !== reason) logger.info('The engine connects pods to its network itself', { reason });
    said = reason;
  };
  const look = async (): Promise<Bridge | undefined> => {
    const bridge = await engine.bridgeNetwork();
    if (!bridge) return refuse('it has no default network');
    if (bridge.ipv6) return refuse('its default network has IPv6');
    if (bridge.range !== undefined) return refuse('its default network gives addresses of a part of its range');
    // Their network is made from what is there when they start.
    if (/runsc|gvisor|kata|firecracker/i.test(info.defaultRuntime))
      return refuse('its containers are not on this kernel');
    if (addresses?.subnet !== bridge.subnet) {
      addresses = { subnet: bridge.subnet, next: podAddresses(bridge.subnet) };
    }
    const { next } = addresses;
    if (!next) return refuse(`its range of addresses is small: ${bridge.subnet}`);
    const gateway = bridge.gateway ?? nthAddress(bridge.subnet, 1);
    const isHere = await readFile(`${root}/proc/self/net/fib_trie`, 'utf8').then(
      (table) => localAddresses(table).includes(gateway),
      () => false,
    );
    const isBridge = await isThere(`${root}/sys/class/net/${bridge.link}/bridge`);
    if (!isHere || !isBridge) return refuse('its bridge is not on this machine');
    // BusyBox's ip(8) makes no such pairs.
    if (!knowsPairs) knowsPairs = /iproute2/.test(await ip([], 'a network', ['-V']).catch(() => ''));
    if (!knowsPairs) return refuse('this machine has no ip(8) of iproute2');
    if (said !== undefined) logger.info('Pods are connected to the network without the engine');
    said = undefined;
    return { ...bridge, gateway, next };
  };
  const currentBridge = (): Promise<Bridge | undefined> => {
    const now = clock.monotonicMs();
    if (!known || now - known.atMs >= bridgeAgeMs) {
      const bridge = look().catch((error: unknown) => {
        known = undefined;
        return refuse(messageOf(error));
      });
      known = { bridge, atMs: now };
    }
    return known.bridge;
  };
  const isThere = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );

  /** Runs the host's ip(8), in the pod's network where `enter` says so; gives its output. Throws its message. */
  async function ip(enter: readonly string[], what: string, args: readonly string[], stdin?: string): Promise<string> {
    const [file, words] = hostCommand(hostRoot, ['ip', ...args], enter);
    const input = stdin === undefined ? {} : { stdin };
    const { exitCode, stdout, stderr } = await run(file, words, { timeoutMs: commandMs, ...input });
    if (exitCode === 0) return stdout;
    throw new HyperupError('HostChangeFailed', `set up ${what}: ip failed with ${exitCode}: ${stderr.trim()}`);
  }

  /** Makes the pair and gives the address that it claims. */
  async function makePair(bridge: Bridge, pid: number): Promise<string> {
    for (let claims = 0; claims < maxClaims; claims += 1) {
      const { address, name, mac } = podLink(bridge.next());
      if (await isThere(`${root}/sys/class/net/${name}`)) continue;
      const mtu = String(bridge.mtu);
      const ours = ['link', 'add', 'name', name, 'mtu', mtu, 'master', bridge.link, 'up', 'type', 'veth'];
      const theirs = ['peer', 'name', 'eth0', 'address', mac, 'mtu', mtu, 'netns', String(pid)];
      try {
        await ip([], `interface ${name}`, [...ours, ...theirs]);
        return address;
      } catch (error) {
        // Another kubelet on this engine was faster.
        if (!/File exists/.test(messageOf(error))) throw error;
      }
    }
    throw new HyperupError('Conflict', `find an address in ${bridge.subnet}: ${maxClaims} in turn are taken`);
  }

  return {
    async planFor(pod) {
      if (!enabled || !isPlain(pod) || clock.monotonicMs() < pausedUntilMs) return undefined;
      if (!(await currentBridge())) return undefined;
      return { sysctls: await ipv6Off(root, engine.engineVersion) };
    },

    async attach(pid) {
      const bridge = await currentBridge();
      try {
        if (!bridge) throw new HyperupError('EngineFailed', "the engine's default network is gone");
        const address = await makePair(bridge, pid);
        const lines = [
          'link set eth0 up',
          `address add ${addressArguments(address, bridge.subnet)} dev eth0`,
          `route add default via ${bridge.gateway}`,
        ];
        const enter = [`--net=${root}/proc/${pid}/ns/net`];
        await Promise.all([
          ip(enter, `address ${address}`, ['-batch', '-'], `${lines.join('\n')}\n`),
          // A pod that asks for a Service of its own gets its packets back.
          setHairpin(podLink(address).name, root),
        ]);
        return [address];
      } catch (error) {
        // A sandbox that has ended meanwhile says nothing about the next.
        if (await isThere(`${root}/proc/${pid}/ns/net`)) {
          pausedUntilMs = clock.monotonicMs() + pauseMs;
          logger.warn('Could not connect a pod to the network; the engine does it for now', { err: messageOf(error) });
        }
        throw error;
      }
    },

    async addressesOf(pid) {
      const table = await readFile(`${root}/proc/${pid}/net/fib_trie`, 'utf8').catch(() => '');
      const own = localAddresses(table).filter((address) => !address.startsWith('127.'));
      const claimed = await Promise.all(
        own.map((address) => isThere(`${root}/sys/class/net/${podLink(address).name}`)),
      );
      return own.filter((_, index) => claimed[index]);
    },
  };
}

/** Host ports are the engine's to publish; another runtime may want its network before it starts. */
function isPlain({ spec }: V1Pod): boolean {
  if (spec?.hostNetwork || spec?.runtimeClassName) return false;
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return !containers.some(({ ports }) => ports?.some(({ hostPort }) => hostPort));
}

/** As the engine has it on a network without IPv6: up to version 25 nowhere, from then on on the loopback alone. */
async function ipv6Off(root: string, engineVersion: string): Promise<Readonly<Record<string, string>>> {
  const which = Number.parseInt(engineVersion, 10) >= 26 ? 'default' : 'all';
  try {
    await access(`${root}/proc/sys/net/ipv6/conf/${which}/disable_ipv6`);
    return { [`net.ipv6.conf.${which}.disable_ipv6`]: '1' };
  } catch {
    return {};
  }
}
