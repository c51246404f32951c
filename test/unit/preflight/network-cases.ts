import type { CheckCase } from './check-case.js';
import { goodCluster, goodValues, listener } from './good-facts.js';

const cluster = (changes: Partial<typeof goodCluster>) => ({ cluster: { ...goodCluster, ...changes } });
const resolver = (changes: Partial<typeof goodValues.resolver>) => ({
  resolver: { ...goodValues.resolver, ...changes },
});
const route = (destination: string, link = 'tun0') => ({
  routes: [...goodValues.routes, { link, destination, gateway: undefined, metric: 0 }],
});

export const networkCases: Readonly<Record<string, readonly CheckCase[]>> = {
  ports: [
    {
      name: 'taken, with its holder',
      values: { ports: [listener(6443, { cmdline: 'nginx: master' }), listener(22)] },
      severity: 'fail',
      found: /^6443 \(kube-apiserver\) is taken by nginx \(pid 7: nginx: master\)$/,
      fix: /--api-port/,
    },
    {
      name: 'all of them at once',
      values: { ports: [listener(10_250), listener(2379, { comm: undefined, pid: undefined })] },
      severity: 'fail',
      found: /10250 .*; 2379 .*cannot be seen/,
    },
    { name: 'our own', values: { ports: [listener(6443, { own: true })] }, severity: 'ok', found: /the cluster's own/ },
    {
      name: 'UDP is another matter',
      values: { ports: [listener(6443, { protocol: 'udp' })] },
      severity: 'ok',
      found: /free$/,
    },
    {
      name: 'etcd needs loopback alone',
      values: { ports: [listener(2379, { address: '192.0.2.2' })] },
      severity: 'ok',
      found: /free$/,
    },
    {
      name: 'the API server needs all addresses',
      values: { ports: [listener(6443, { address: '192.0.2.2' })] },
      severity: 'fail',
      found: /6443/,
    },
    {
      name: 'the port that was chosen counts',
      values: { ports: [listener(6443)], ...cluster({ ports: { ...goodCluster.ports, api: 7443 } }) },
      severity: 'ok',
      found: /7443/,
    },
  ],
  hostname: [
    ...['UPPER', 'a_b', '-a', 'a..b', 'a.', '', `${'a'.repeat(64)}`].map(
      (nodeName): CheckCase => ({
        name: `"${nodeName}"`,
        values: cluster({ nodeName }),
        severity: 'fail',
        found: /node name/,
        fix: /--node-name/,
      }),
    ),
    ...['a', 'a.b-c', '1', 'a'.repeat(63)].map(
      (nodeName): CheckCase => ({
        name: `"${nodeName}"`,
        values: cluster({ nodeName }),
        severity: 'ok',
        found: /vm is/,
      }),
    ),
    {
      name: 'no address',
      values: { names: { ...goodValues.names, hostnameAddresses: [] } },
      severity: 'warn',
      found: /vm does not resolve/,
      fix: /127\.0\.1\.1 vm/,
    },
  ],
  'node-address': [
    {
      name: 'loopback',
      values: cluster({ nodeAddress: '127.0.0.1' }),
      severity: 'fail',
      found: /no Service can lead to/,
      fix: /192\.0\.2\.2/,
    },
    {
      name: 'not here',
      values: cluster({ nodeAddress: '198.51.100.1' }),
      severity: 'fail',
      found: /this machine has 192\.0\.2\.2$/,
    },
  ],
  'cidr-overlap': [
    {
      name: 'a VPN in the Service range',
      values: route('10.100.0.0/16'),
      severity: 'fail',
      found: /^Service range 10\.96\.0\.0\/12 overlaps 10\.100\.0\.0\/16 \(tun0\)$/,
      fix: /--service-cidr 172\.30\.0\.0\/16/,
    },
    {
      name: 'a wider network',
      values: route('10.0.0.0/8'),
      severity: 'fail',
      found: /overlaps 10\.0\.0\.0\/8/,
      fix: /172\.30/,
    },
    {
      name: "the engine's bridge",
      values: cluster({ serviceCidr: '172.17.0.0/24', podCidr: undefined }),
      severity: 'fail',
      found: /docker0/,
    },
    {
      name: 'pods on another network',
      values: cluster({ podCidr: '192.0.2.0/25' }),
      severity: 'fail',
      found: /pod range .* overlaps 192\.0\.2\.0\/24.*node's address/,
    },
    {
      name: 'each other',
      values: cluster({ podCidr: '10.100.0.0/16' }),
      severity: 'fail',
      found: /overlaps pod range/,
    },
    {
      name: 'the name server',
      values: resolver({ chosenNameservers: ['10.96.5.5', 'fe80::1%eth0'] }),
      severity: 'fail',
      found: /holds the name server 10\.96\.5\.5/,
    },
    {
      name: 'beside it',
      values: route('10.112.0.0/16'),
      severity: 'ok',
      found: /Services 10\.96\.0\.0\/12, pods 172\.17/,
    },
    { name: 'IPv6 is another matter', values: route('fd00::/8'), severity: 'ok', found: /Services/ },
  ],
  resolver: [
    {
      name: 'systemd-resolved',
      values: resolver({ nameservers: ['127.0.0.53'], chosen: '/run/systemd/resolve/resolv.conf' }),
      severity: 'ok',
      found: /192\.0\.2\.53 from \/run\/systemd\/resolve\/resolv\.conf \(for \/etc\/resolv\.conf names 127\.0\.0\.53\)/,
    },
    {
      name: 'a loop',
      values: resolver({ chosenNameservers: ['127.0.0.1', '192.0.2.1'] }),
      severity: 'warn',
      found: /127\.0\.0\.1, which in a pod/,
      fix: /itself for ever/,
    },
    {
      name: 'no file',
      values: resolver({ nameservers: undefined, chosenNameservers: [] }),
      severity: 'warn',
      found: /not there/,
    },
    {
      name: 'no server',
      values: resolver({ nameservers: [], chosenNameservers: [] }),
      severity: 'warn',
      found: /names no server/,
    },
    {
      name: 'four',
      values: resolver({ chosenNameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'] }),
      severity: 'warn',
      found: /4 servers/,
    },
    {
      name: 'many domains',
      values: resolver({ searches: ['a', 'b', 'c', 'd'] }),
      severity: 'warn',
      found: /4 search domains/,
    },
    {
      name: 'long domains',
      values: resolver({ searches: ['a'.repeat(150), 'b'.repeat(60)] }),
      severity: 'warn',
      found: /2 search domains/,
    },
  ],
};
