import { formatDuration } from '../../base/bytes.js';
import type { NetfilterTable } from '../../host/iptables-save.js';
import { isKubeChain } from '../../host/netfilter-plan.js';
import { defineCheck } from '../types.js';

const dayMs = 24 * 3600 * 1000;

export const clockCheck = defineCheck({
  id: 'clock',
  title: 'Clock',
  wanted: 'the right time: certificates are valid from it on',
  needs: ['clock'],
  examine: ({ clock: { nowMs, newestKnownMs, newestKnown } }) => {
    const found = new Date(nowMs).toISOString();
    const fix = 'Set the clock (timedatectl set-ntp true, or date -s), then run the command again.';
    const year = new Date(nowMs).getUTCFullYear();
    if (year < 2024 || year > 2100) return { severity: 'fail', found, fix };
    const behind = newestKnownMs - nowMs;
    if (behind > dayMs) {
      return { severity: 'warn', found: `${found}, ${formatDuration(behind)} before ${newestKnown} was made`, fix };
    }
    return { severity: 'ok', found };
  },
});

export const formerInstallCheck = defineCheck({
  id: 'former-install',
  title: 'Former installs',
  wanted: 'none',
  needs: ['formerInstall', 'netfilter'],
  examine: ({ formerInstall: { journaledChanges, traces }, netfilter }) => {
    if (journaledChanges > 0) {
      return { severity: 'ok', found: `hyperup's own, with ${journaledChanges} journaled changes: it is continued` };
    }
    const blocking = traces.filter((trace) => trace.blocking);
    const text = traces.map(({ maker, what }) => `${what} (${maker})`).join('; ');
    if (blocking.length > 0)
      return { severity: 'fail', found: text, fix: removalAdvice(blocking.map(({ maker }) => maker)) };
    const chains = (netfilter ?? []).flatMap((table) => table.chains).filter(({ name }) => isKubeChain(name)).length;
    const chainText = chains > 0 ? `${chains} netfilter chains of a cluster` : '';
    const found = [text, chainText].filter((part) => part !== '').join('; ');
    if (found === '') return { severity: 'ok', found: 'none' };
    return {
      severity: 'warn',
      found,
      fix: `${removalAdvice(traces.map(({ maker }) => maker))} They are not in the way, but uninstall will leave them as they are.`,
    };
  },
});

const advice: Readonly<Record<string, string>> = {
  kubeadm: 'kubeadm reset, then remove /etc/kubernetes and /var/lib/etcd.',
  k3s: 'k3s-uninstall.sh.',
  rke2: 'rke2-uninstall.sh.',
  k0s: 'k0s stop, then k0s reset.',
  microk8s: 'snap remove --purge microk8s.',
  minikube: 'minikube delete --all --purge.',
};

function removalAdvice(makers: readonly string[]): string {
  const lines = [...new Set(makers)].map((maker) => advice[maker]).filter((line) => line !== undefined);
  return `Remove what is left of it${lines.length > 0 ? `: ${lines.join(' ')}` : ', or choose other folders (`paths` in the config file).'}`;
}

export const firewallCheck = defineCheck({
  id: 'firewall',
  title: 'Firewall',
  wanted: 'none that drops traffic between pods and the API server',
  needs: ['firewall', 'netfilter', 'cluster'],
  examine: ({ firewall: { firewalld, ufw }, netfilter, cluster }) => {
    const faults: string[] = [];
    const fixes: string[] = [];
    if (firewalld) {
      faults.push('firewalld runs');
      fixes.push('firewall-cmd --permanent --zone=trusted --add-interface=docker0 && firewall-cmd --reload');
    }
    if (ufw) {
      faults.push('ufw is on');
      fixes.push('ufw allow in on docker0 && ufw route allow in on docker0 && ufw route allow out on docker0');
    }
    const filter = (netfilter ?? []).filter(({ table, family }) => table === 'filter' && family === 'ipv4');
    if (filter.some((table) => drops(table, 'INPUT') && !accepts(table, 'INPUT', '-i docker0'))) {
      faults.push('INPUT drops by default, and with it pods that ask the API server');
      fixes.push(`iptables -I INPUT -i docker0 -p tcp --dport ${cluster.ports.api} -j ACCEPT`);
    }
    if (filter.some((table) => drops(table, 'FORWARD') && !accepts(table, 'FORWARD', '-i docker0'))) {
      faults.push("FORWARD drops by default, without the engine's own accepting rules");
      fixes.push('Restart the engine with "iptables": true, so that it makes them.');
    }
    return faults.length === 0
      ? { severity: 'ok', found: 'none' }
      : { severity: 'warn', found: faults.join('; '), fix: fixes.join('; ') };
  },
});

function drops(table: NetfilterTable, chain: string): boolean {
  if (table.chains.some(({ name, policy }) => name === chain && policy === 'DROP')) return true;
  return table.rules.some(
    (rule) => /^-A (\S+)(?: -m comment --comment \S+)? -j (?:DROP|REJECT)\b/.exec(rule.text)?.[1] === chain,
  );
}

/** True for a rule in the chain that accepts what comes from there, or that sends it to the engine's own chain. */
function accepts(table: NetfilterTable, chain: string, match: string): boolean {
  return table.rules.some(
    (rule) =>
      rule.chain === chain &&
      ((rule.text.includes(match) && rule.target === 'ACCEPT') || rule.target === 'DOCKER-FORWARD'),
  );
}

export const iptablesFlavourCheck = defineCheck({
  id: 'iptables-flavour',
  title: 'iptables flavours',
  wanted: 'rules of one flavour only',
  needs: ['netfilter'],
  examine: ({ netfilter }) => {
    if (netfilter === undefined)
      return { severity: 'ok', found: "no iptables program on the host; the cluster's image has its own" };
    const used = [...new Set(netfilter.filter(({ rules }) => rules.length > 0).map(({ flavour }) => flavour))].sort();
    if (used.length < 2) return { severity: 'ok', found: used[0] ?? 'no rules yet' };
    const legacy = netfilter.filter(({ flavour, rules }) => flavour === 'legacy' && rules.length > 0);
    return {
      severity: 'warn',
      found: `rules of both, legacy in ${[...new Set(legacy.map(({ family, table }) => `${family} ${table}`))].join(', ')}`,
      fix: 'A packet must pass both: make all programs use one (update-alternatives --set iptables /usr/sbin/iptables-nft), and remove the other rules.',
    };
  },
});
