import type { V1Pod } from '../../kube/pod-objects.js';

/** Sysctls that touch nobody but the pod (v1.20 `pkg/kubelet/sysctl/safe_sysctls.go`; the last five came later). */
const safeSysctls: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];

const ipcSysctls = ['kernel.shm', 'kernel.msg', 'kernel.sem', 'fs.mqueue.'];

/** Why a pod's sysctls can't be, or undefined. `allowed` are patterns, `*` at the end. Pure. */
export function findForbiddenSysctl(pod: V1Pod, allowed: readonly string[]): string | undefined {
  for (const { name: given } of pod.spec?.securityContext?.sysctls ?? []) {
    const name = given.replaceAll('/', '.');
    const isAllowed =
      safeSysctls.includes(name) ||
      allowed.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name));
    if (!isAllowed) return `forbidden sysctl: ${JSON.stringify(name)} not whitelisted`;
    if (name.startsWith('net.') && pod.spec?.hostNetwork) {
      return `forbidden sysctl: ${JSON.stringify(name)} not allowed with host net enabled`;
    }
    if (ipcSysctls.some((prefix) => name.startsWith(prefix)) && pod.spec?.hostIPC) {
      return `forbidden sysctl: ${JSON.stringify(name)} not allowed with host ipc enabled`;
    }
  }
  return undefined;
}
