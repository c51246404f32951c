import type { CheckCase } from './check-case.js';
import { tables } from './good-facts.js';

const traces = (...list: readonly [maker: string, what: string, blocking: boolean][]) => ({
  formerInstall: { journaledChanges: 0, traces: list.map(([maker, what, blocking]) => ({ maker, what, blocking })) },
});
const dockerForward = '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT';

export const machineCases: Readonly<Record<string, readonly CheckCase[]>> = {
  'former-install': [
    {
      name: 'our own is continued, whatever lies about',
      values: { formerInstall: { journaledChanges: 3, traces: [{ maker: 'kubeadm', what: 'x', blocking: true }] } },
      severity: 'ok',
      found: /hyperup's own, with 3 journaled changes/,
    },
    {
      name: 'files of kubeadm',
      values: traces(['kubeadm', '/etc/kubernetes/manifests has etcd.yaml', true]),
      severity: 'fail',
      found: /manifests has etcd\.yaml \(kubeadm\)/,
      fix: /kubeadm reset/,
    },
    {
      name: 'a k3s that sleeps',
      values: traces(['k3s', '/var/lib/rancher/k3s', false]),
      severity: 'warn',
      found: /rancher/,
      fix: /k3s-uninstall\.sh.*not in the way/,
    },
    {
      name: 'chains',
      values: {
        netfilter: tables('*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-ROUTER - [0:0]\nCOMMIT\n'),
      },
      severity: 'warn',
      found: /^2 netfilter chains/,
    },
  ],
  firewall: [
    {
      name: 'firewalld',
      values: { firewall: { firewalld: true, ufw: false } },
      severity: 'warn',
      found: /firewalld runs/,
      fix: /firewall-cmd/,
    },
    {
      name: 'ufw',
      values: { firewall: { firewalld: false, ufw: true } },
      severity: 'warn',
      found: /ufw is on/,
      fix: /ufw allow/,
    },
    {
      name: 'the engine’s own DROP with its accepting rules',
      values: { netfilter: tables(`*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n${dockerForward}\nCOMMIT\n`) },
      severity: 'ok',
      found: /none/,
    },
    {
      name: 'Engine 28 and later',
      values: {
        netfilter: tables(
          '*filter\n:FORWARD DROP [0:0]\n-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-FORWARD\nCOMMIT\n',
        ),
      },
      severity: 'ok',
      found: /none/,
    },
    {
      name: 'DROP without them',
      values: { netfilter: tables('*filter\n:FORWARD DROP [0:0]\nCOMMIT\n') },
      severity: 'warn',
      found: /FORWARD drops by default/,
    },
    {
      name: 'a closed INPUT',
      values: {
        netfilter: tables(
          '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n',
        ),
      },
      severity: 'warn',
      found: /INPUT drops by default/,
      fix: /--dport 6443/,
    },
    {
      name: 'a closed INPUT that lets pods in',
      values: { netfilter: tables('*filter\n:INPUT DROP [0:0]\n-A INPUT -i docker0 -j ACCEPT\nCOMMIT\n') },
      severity: 'ok',
      found: /none/,
    },
    {
      name: 'one that is dropped by a match only',
      values: { netfilter: tables('*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 198.51.100.1/32 -j DROP\nCOMMIT\n') },
      severity: 'ok',
      found: /none/,
    },
  ],
  'iptables-flavour': [
    { name: 'no program', values: { netfilter: undefined }, severity: 'ok', found: /no iptables program/ },
    {
      name: 'one',
      values: { netfilter: tables('*nat\n:A - [0:0]\n-A A -j B\nCOMMIT\n', 'legacy') },
      severity: 'ok',
      found: /^legacy$/,
    },
    {
      name: 'both',
      values: { netfilter: [...tables('*nat\n-A A -j B\nCOMMIT\n', 'legacy'), ...tables('*nat\n-A A -j B\nCOMMIT\n')] },
      severity: 'warn',
      found: /both, legacy in ipv4 nat/,
      fix: /update-alternatives/,
    },
    {
      name: 'the other one without rules',
      values: {
        netfilter: [
          ...tables('*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n', 'legacy'),
          ...tables('*nat\n-A A -j B\nCOMMIT\n'),
        ],
      },
      severity: 'ok',
      found: /^nft$/,
    },
  ],
};
