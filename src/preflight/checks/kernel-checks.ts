import { defineCheck } from '../types.js';

const bridgeKey = 'net.bridge.bridge-nf-call-iptables';

export const bridgeNetfilterCheck = defineCheck({
  id: 'bridge-netfilter',
  title: 'Bridged traffic through netfilter',
  wanted: `${bridgeKey} = 1`,
  needs: ['sysctls'],
  examine: ({ sysctls }) => {
    const value = sysctls[bridgeKey];
    if (value === undefined) {
      return {
        severity: 'fail',
        found: 'this kernel has no such setting: br_netfilter is not loaded',
        fix: 'modprobe br_netfilter, and add the line br_netfilter to /etc/modules-load.d/hyperup.conf. Without it a pod that asks for a Service of another pod on this machine gets no answer.',
      };
    }
    if (value === '1') return { severity: 'ok', found: value };
    return {
      severity: 'warn',
      found: value,
      fix: `Install sets it, and uninstall sets it back. By hand: sysctl -w ${bridgeKey}=1`,
      fixes: [{ kind: 'sysctl', key: bridgeKey, value: '1' }],
    };
  },
});

const forwardKey = 'net.ipv4.ip_forward';

export const ipForwardCheck = defineCheck({
  id: 'ip-forward',
  title: 'IP forwarding',
  wanted: `${forwardKey} = 1`,
  needs: ['sysctls'],
  examine: ({ sysctls }) => {
    const value = sysctls[forwardKey];
    if (value === '1') return { severity: 'ok', found: value };
    return {
      severity: 'warn',
      found: value ?? 'absent',
      fix: `Install sets it, and uninstall sets it back. By hand: sysctl -w ${forwardKey}=1`,
      fixes: value === undefined ? [] : [{ kind: 'sysctl', key: forwardKey, value: '1' }],
    };
  },
});

export const mountPropagationCheck = defineCheck({
  id: 'mount-propagation',
  title: 'Mount propagation',
  wanted: "the kubelet's folder on a shared mount",
  needs: ['propagation', 'cluster'],
  examine: ({ propagation, cluster }) => {
    const path = cluster.paths.kubeletDir;
    if (propagation.shared) return { severity: 'ok', found: `${path} is on ${propagation.mountPoint}, shared` };
    return {
      severity: 'warn',
      found: `${path} is on ${propagation.mountPoint}, private`,
      fix: `Install binds ${path} on itself and shares it, and uninstall takes that back.`,
      fixes: [{ kind: 'sharedMount', path }],
    };
  },
});

export const kernelCheck = defineCheck({
  id: 'kernel',
  title: 'Kernel',
  wanted: 'Linux 4.15 or later, with overlay',
  needs: ['kernel', 'engine'],
  examine: ({ kernel: { release, overlay }, engine: { info } }) => {
    const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
    const driver = info ? `, storage driver ${info.storageDriver}` : '';
    if (major < 3 || (major === 3 && minor < 10)) {
      return {
        severity: 'fail',
        found: release,
        fix: 'Use a newer kernel: 3.10 is the least that the Docker Engine runs on.',
      };
    }
    if (major < 4 || (major === 4 && minor < 15)) {
      return {
        severity: 'warn',
        found: release,
        fix: 'Use a newer kernel: memory of pods is not given back on old ones.',
      };
    }
    if (info && ['vfs', 'devicemapper', 'aufs'].includes(info.storageDriver)) {
      return {
        severity: 'warn',
        found: `${release}${driver}`,
        fix: 'Use the storage driver overlay2: this one is slow or fills the disk.',
      };
    }
    if (!overlay && !info) {
      return { severity: 'warn', found: `${release}, without overlay`, fix: 'modprobe overlay' };
    }
    return { severity: 'ok', found: `${release}${driver}` };
  },
});

export const selinuxCheck = defineCheck({
  id: 'selinux',
  title: 'SELinux',
  wanted: 'off or permissive, or a policy that lets containers read the host folders of a cluster',
  needs: ['selinux'],
  examine: ({ selinux }) =>
    selinux === 'enforcing'
      ? {
          severity: 'warn',
          found: 'enforcing',
          fix: 'The control plane runs privileged and is not held back, but pods with hostPath volumes may be: install container-selinux, or setenforce 0.',
        }
      : { severity: 'ok', found: selinux },
});
