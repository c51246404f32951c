import { canonicalAddress, cidrContains, cidrsOverlap } from '../../base/cidr.js';
import { addressesClash } from '../../host/ports.js';
import type { PortFact } from '../facts.js';
import { isLoopback } from '../loopback.js';
import { neededPorts } from '../needed-ports.js';
import { defineCheck } from '../types.js';

export const portsCheck = defineCheck({
  id: 'ports',
  title: 'Ports',
  wanted: 'the ports of the control plane and the kubelet free',
  needs: ['ports', 'cluster'],
  examine: ({ ports, cluster }) => {
    const needed = neededPorts(cluster);
    const taken = needed.flatMap(({ component, port, address }) => {
      const holder = ports.find(
        (other) =>
          other.protocol === 'tcp' && other.port === port && !other.own && addressesClash(other.address, address),
      );
      return holder ? [`${port} (${component}) is taken by ${holderText(holder)}`] : [];
    });
    if (taken.length === 0) {
      const own = ports.some((port) => port.own && needed.some((other) => other.port === port.port));
      return {
        severity: 'ok',
        found: `${needed.map(({ port }) => port).join(', ')}: ${own ? "free or the cluster's own" : 'free'}`,
      };
    }
    return {
      severity: 'fail',
      found: taken.join('; '),
      fix: 'Stop that program, or choose another port (--api-port, or `ports` in the config file).',
    };
  },
});

function holderText({ comm, pid, cmdline }: PortFact): string {
  if (comm === undefined) return 'a program that cannot be seen from here';
  const text = cmdline.length > 80 ? `${cmdline.slice(0, 79)}…` : cmdline;
  return `${comm} (pid ${pid}${text === '' || text === comm ? '' : `: ${text}`})`;
}

const dnsLabel = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;

export const hostnameCheck = defineCheck({
  id: 'hostname',
  title: 'Host name',
  wanted: 'a node name by RFC 1123, at most 63 characters, and a host name that resolves',
  needs: ['names', 'cluster'],
  examine: ({ names: { hostname, hostnameAddresses }, cluster: { nodeName } }) => {
    if (nodeName.length > 63 || !nodeName.split('.').every((label) => dnsLabel.test(label))) {
      return {
        severity: 'fail',
        found: `node name "${nodeName}"`,
        fix: 'Give another: --node-name with lower-case letters, digits, - and . only.',
      };
    }
    if (hostnameAddresses.length === 0) {
      return {
        severity: 'warn',
        found: `${hostname} does not resolve`,
        fix: `Add the line "127.0.1.1 ${hostname}" to /etc/hosts: components look their own name up and wait when it has no answer.`,
      };
    }
    return { severity: 'ok', found: `${hostname} is ${hostnameAddresses.join(', ')}` };
  },
});

export const nodeAddressCheck = defineCheck({
  id: 'node-address',
  title: 'Node address',
  wanted: 'an address of this machine that is not a loopback one',
  needs: ['names', 'cluster'],
  examine: ({ names: { localAddresses }, cluster: { nodeAddress } }) => {
    const there = localAddresses.filter((address) => !isLoopback(address) && !address.startsWith('fe80'));
    const fix = `Give one of this machine's: --node-address ${there[0] ?? '<address>'}`;
    const wanted = canonicalAddress(nodeAddress);
    if (isLoopback(nodeAddress)) {
      return { severity: 'fail', found: `${nodeAddress}, which no Service can lead to`, fix };
    }
    if (!localAddresses.some((address) => canonicalAddress(address) === wanted)) {
      return { severity: 'fail', found: `${nodeAddress}; this machine has ${there.join(', ') || 'none'}`, fix };
    }
    return { severity: 'ok', found: nodeAddress };
  },
});

/** Ranges to propose where the one that was chosen is in use. */
const proposals = ['10.96.0.0/12', '172.30.0.0/16', '10.43.0.0/16', '192.168.224.0/20', '100.64.0.0/16'] as const;

/** The engine's own bridge: pods get their addresses from it, so it is meant to be in the pods' range. */
const engineBridge = 'docker0';

export const cidrOverlapCheck = defineCheck({
  id: 'cidr-overlap',
  title: 'Address ranges',
  wanted: "ranges of Services and pods that are no network of this machine's",
  needs: ['routes', 'resolver', 'cluster'],
  examine: ({ routes, resolver, cluster: { serviceCidr, podCidr, nodeAddress } }) => {
    const networks = routes.filter(({ destination }) => !destination.endsWith('/0'));
    const faults: string[] = [];
    const examine = (range: string, name: string, ignoredLink: string | undefined) => {
      for (const { destination, link } of networks) {
        // A route for just this range is one that an earlier install has made.
        if (link !== ignoredLink && destination !== range && cidrsOverlap(range, destination))
          faults.push(`${name} ${range} overlaps ${destination} (${link})`);
      }
      if (cidrContains(range, nodeAddress)) faults.push(`${name} ${range} holds the node's address ${nodeAddress}`);
      for (const nameserver of resolver.chosenNameservers) {
        if (canonicalAddress(nameserver) && cidrContains(range, nameserver)) {
          faults.push(`${name} ${range} holds the name server ${nameserver}`);
        }
      }
    };
    examine(serviceCidr, 'Service range', undefined);
    if (podCidr !== undefined) {
      examine(podCidr, 'pod range', engineBridge);
      if (cidrsOverlap(serviceCidr, podCidr)) faults.push(`Service range ${serviceCidr} overlaps pod range ${podCidr}`);
    }
    if (faults.length === 0) {
      return { severity: 'ok', found: `Services ${serviceCidr}${podCidr === undefined ? '' : `, pods ${podCidr}`}` };
    }
    const free = proposals.find(
      (range) =>
        !networks.some(({ destination }) => cidrsOverlap(range, destination)) &&
        !cidrContains(range, nodeAddress) &&
        !(podCidr !== undefined && cidrsOverlap(range, podCidr)),
    );
    return {
      severity: 'fail',
      found: faults.join('; '),
      fix: `Choose other ranges${free === undefined ? '' : `: --service-cidr ${free} is free here`}.`,
    };
  },
});

/** Search domains that a pod's file takes beside the cluster's three, by Kubernetes 1.20 and later. */
const searchLimit = { count: 3, characters: 200 } as const;

export const resolverCheck = defineCheck({
  id: 'resolver',
  title: 'Resolver for pods',
  wanted: 'a name server that pods can reach',
  needs: ['resolver'],
  examine: ({ resolver: { path, nameservers, searches, chosen, chosenNameservers } }) => {
    if (nameservers === undefined || chosenNameservers.length === 0) {
      return {
        severity: 'warn',
        found: nameservers === undefined ? `${path} is not there` : `${chosen} names no server`,
        fix: `Pods will resolve no outside names. Write a nameserver line into ${path}.`,
      };
    }
    const loops = chosenNameservers.filter(isLoopback);
    if (loops.length > 0) {
      return {
        severity: 'warn',
        found: `${chosen} names ${loops.join(', ')}, which in a pod is the pod itself`,
        fix: `Put the address of a real name server into ${path}: with a loopback one the cluster's DNS asks itself for ever.`,
      };
    }
    if (chosenNameservers.length > 3) {
      return {
        severity: 'warn',
        found: `${chosen} names ${chosenNameservers.length} servers`,
        fix: 'The resolver library uses the first three only: remove the others.',
      };
    }
    if (searches.length > searchLimit.count || searches.join(' ').length > searchLimit.characters) {
      return {
        severity: 'warn',
        found: `${chosen} has ${searches.length} search domains`,
        fix: `Beside the cluster's own ones a pod takes ${searchLimit.count} of ${searchLimit.characters} characters in all: the kubelet drops the others.`,
      };
    }
    const why = chosen === path ? '' : ` (for ${path} names ${nameservers.join(', ')})`;
    return { severity: 'ok', found: `${chosenNameservers.join(', ')} from ${chosen}${why}` };
  },
});
