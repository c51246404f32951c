import type { NetfilterRule, NetfilterTable } from './iptables-save.js';

/**
 * The chains of kubelet and kube-proxy, 1.17 to 1.20 and what came since. Sources: kubernetes v1.20.2
 * pkg/proxy/iptables/proxier.go, pkg/proxy/ipvs/proxier.go, pkg/proxy/userspace/proxier.go,
 * pkg/kubelet/kubelet_network_linux.go, pkg/kubelet/dockershim/network/hostport/hostport_syncer.go.
 */
const fixedNames: ReadonlySet<string> = new Set([
  'KUBE-SERVICES',
  'KUBE-NODEPORTS',
  'KUBE-NODE-PORT',
  'KUBE-POSTROUTING',
  'KUBE-MARK-MASQ',
  'KUBE-MARK-DROP',
  'KUBE-FIREWALL',
  'KUBE-FORWARD',
  'KUBE-EXTERNAL-SERVICES',
  'KUBE-PROXY-CANARY',
  'KUBE-PROXY-FIREWALL',
  'KUBE-KUBELET-CANARY',
  'KUBE-IPTABLES-HINT',
  'KUBE-LOAD-BALANCER',
  'KUBE-SOURCE-RANGES-FIREWALL',
  'KUBE-IPVS-FILTER',
  'KUBE-IPVS-OUT-FILTER',
  'KUBE-HOSTPORTS',
  'KUBE-PORTALS-HOST',
  'KUBE-PORTALS-CONTAINER',
  'KUBE-NODEPORT-HOST',
  'KUBE-NODEPORT-CONTAINER',
  'KUBE-NODEPORT-NON-LOCAL',
]);

/** One chain a Service, endpoint, load balancer or hostPort: the prefix and a hash. */
const hashedName = /^KUBE-(?:SVC|SVL|SEP|XLB|EXT|FW|HP)-[A-Z0-9]+$/;

/** True for a chain's name that Kubernetes' own components use. Other names that begin with KUBE are foreign. */
export function isKubeChain(name: string): boolean {
  return fixedNames.has(name) || hashedName.test(name);
}

export interface KubeRemovalPlan {
  /** Kubernetes' chains in this table that aren't to be kept. */
  readonly chains: readonly string[];
  /** iptables-restore's input for this table, without its first and last line; empty where nothing is to be done. */
  readonly lines: readonly string[];
  /** The chains that those lines remove. */
  readonly removed: readonly string[];
  /** Chains that stay, emptied, and the foreign rule for each that jumps there. */
  readonly held: readonly { readonly chain: string; readonly rule: string }[];
}

const builtinChains: ReadonlySet<string> = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);

/**
 * Works out how to free one table of Kubernetes' chains. Naming a chain (`:NAME - [0:0]`) under --noflush empties it,
 * so that the chains may jump to one another in any way; then our jumps from the built-in chains go, then the chains.
 * A jump that Kubernetes didn't write is somebody's rule: it stays, and so does the chain, empty, that it needs.
 */
export function planKubeRemoval(table: NetfilterTable, keep: ReadonlySet<string>): KubeRemovalPlan {
  const prefix = `${table.flavour}/${table.family}/${table.table}/`;
  const chains = table.chains.map(({ name }) => name).filter((name) => isKubeChain(name) && !keep.has(prefix + name));
  const doomed = new Set(chains);
  const jumps = table.rules.filter((rule) => rule.target && doomed.has(rule.target) && !doomed.has(rule.chain));
  const ours = jumps.filter(isKubeJump);
  const foreign = jumps.filter((rule) => !isKubeJump(rule));
  const held = chains.flatMap((chain) => {
    const rule = foreign.find((candidate) => candidate.target === chain);
    return rule ? [{ chain, rule: rule.text }] : [];
  });
  const heldNames = new Set(held.map(({ chain }) => chain));
  const removed = chains.filter((chain) => !heldNames.has(chain));
  const filled = new Set(table.rules.map((rule) => rule.chain));
  const emptied = chains.filter((chain) => !heldNames.has(chain) || filled.has(chain));
  return {
    chains,
    removed,
    held,
    lines: [
      ...emptied.map((chain) => `:${chain} - [0:0]`),
      ...ours.map((rule) => `-D${rule.text.slice(2)}`),
      ...removed.map((chain) => `-X ${chain}`),
    ],
  };
}

/**
 * The components jump from built-in chains alone, either without any match (KUBE-FIREWALL) or with a comment of
 * their own: "kubernetes service portals", "kube hostport portals", "handle ClusterIPs; NOTE: …".
 */
function isKubeJump(rule: NetfilterRule): boolean {
  if (!builtinChains.has(rule.chain)) return false;
  if (rule.text === `-A ${rule.chain} -j ${rule.target}`) return true;
  return / --comment "?(?:kubernetes |kube |handle (?:ClusterIPs|service NodePorts)|Ensure that non-local NodePort)/.test(
    rule.text,
  );
}
