import { minorOf } from '../../release/minor-of.js';
import { defineCheck } from '../types.js';

export const rootCheck = defineCheck({
  id: 'root',
  title: 'User',
  wanted: 'root (uid 0)',
  needs: ['uid'],
  examine: ({ uid }) =>
    uid === 0
      ? { severity: 'ok', found: 'root' }
      : { severity: 'fail', found: `uid ${uid}`, fix: 'Run the command as root: sudo hyperup …' },
});

const lowestApi = [1, 41] as const;

export const engineCheck = defineCheck({
  id: 'engine',
  title: 'Docker Engine',
  wanted: `an engine on this machine, API ${lowestApi.join('.')} or later (Engine 20.10)`,
  needs: ['engine'],
  examine: ({ engine: { info, message, hint } }) => {
    if (!info) {
      return { severity: 'fail', found: message, fix: hint || 'Install and start one: hyperup engine install' };
    }
    const found = `Engine ${info.version}, API ${info.apiVersion}, at ${info.endpoint}`;
    if (isRemote(info.endpoint)) {
      return {
        severity: 'fail',
        found: `${found}, which is another machine`,
        fix: 'Run hyperup on the machine that the engine runs on, and unset DOCKER_HOST and DOCKER_CONTEXT.',
      };
    }
    if (isOlder(info.maxApiVersion, lowestApi)) {
      return {
        severity: 'fail',
        found: `Engine ${info.version}, which speaks API ${info.maxApiVersion} at most`,
        fix: 'Upgrade the Docker Engine to 20.10 or later.',
      };
    }
    if (info.rootless) {
      return {
        severity: 'fail',
        found: `${found}, rootless`,
        fix: 'Use the engine that runs as root: a rootless one cannot run a kubelet. DOCKER_HOST=unix:///var/run/docker.sock selects it.',
      };
    }
    return { severity: 'ok', found };
  },
});

/** True for an address that isn't this machine's for certain: what the kubelet mounts must be where the engine is. */
function isRemote(endpoint: string): boolean {
  if (/^(?:unix:|npipe:|\/)/.test(endpoint)) return false;
  return !/^[a-z]+:\/\/(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?::\d+)?(?:\/|$)/.test(endpoint);
}

function isOlder(version: string, lowest: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < lowest[0] || (major === lowest[0] && minor < lowest[1]);
}

export const privilegedCheck = defineCheck({
  id: 'privileged',
  title: 'Privileged containers',
  wanted: 'an engine that runs them: the kubelet is one',
  needs: ['privileged', 'engine'],
  examine: ({ privileged: { runs, message, missingCapabilities }, engine }) => {
    // The check of the engine itself says what to do.
    if (!engine.info) return { severity: 'warn', found: 'not tried: no engine answers' };
    const lacks = missingCapabilities.length > 0 ? `the engine's process lacks ${missingCapabilities.join(', ')}` : '';
    const fix =
      'Give the engine all capabilities. Where it runs in a container itself, start that one with --privileged; in a unit file, remove CapabilityBoundingSet; else use another machine.';
    if (runs === 'yes') return { severity: 'ok', found: 'one was run' };
    if (runs === 'no') {
      const cause = [message, lacks].filter((part) => part !== '').join('; ');
      return { severity: 'fail', found: `this engine cannot run privileged containers: ${cause}`, fix };
    }
    if (lacks !== '') {
      return { severity: 'warn', found: `this engine may not be able to run privileged containers: ${lacks}`, fix };
    }
    return { severity: 'ok', found: message || "the engine's process has all capabilities" };
  },
});

/** The controllers without which the kubelet refuses to start. Source: pkg/kubelet/cm/helpers_linux.go. */
const neededControllers = { v1: ['cpu', 'cpuacct', 'cpuset', 'memory'], v2: ['cpu', 'cpuset', 'memory'] } as const;

export const cgroupsCheck = defineCheck({
  id: 'cgroups',
  title: 'Cgroups',
  wanted: 'version 1, or version 2 with Kubernetes 1.19 or later, and a driver that the kubelet knows',
  needs: ['cgroups', 'engine', 'cluster'],
  examine: ({ cgroups, engine: { info }, cluster }) => {
    const found = `${cgroups.mode}${info ? `, driver ${info.cgroupDriver}` : ''}`;
    const minor = minorOf(cluster.kubernetesVersion);
    if (cgroups.mode === 'none') {
      return {
        severity: 'fail',
        found,
        fix: 'Mount the cgroup file systems (package cgroupfs-mount), then restart the engine.',
      };
    }
    if (info?.cgroupDriver === 'none') {
      return { severity: 'fail', found, fix: 'Run the engine as root with native.cgroupdriver=systemd or cgroupfs.' };
    }
    if (cgroups.mode === 'v2' && minor < 19) {
      return {
        severity: 'fail',
        found: `${found}; ${cluster.kubernetesVersion} does not know version 2`,
        fix: 'Choose Kubernetes 1.19 or later, or boot with systemd.unified_cgroup_hierarchy=0.',
      };
    }
    const missing = neededControllers[cgroups.mode === 'v2' ? 'v2' : 'v1'].filter(
      (controller) => !cgroups.controllers.includes(controller),
    );
    if (missing.length > 0) {
      return {
        severity: 'fail',
        found: `${found}, without ${missing.join(', ')}`,
        fix: `Boot with cgroup_enable=${missing.join(' cgroup_enable=')}${missing.includes('memory') ? ' cgroup_memory=1' : ''}.`,
      };
    }
    if (cgroups.mode !== 'v2' && minor >= 35) {
      return { severity: 'warn', found: `${found}; from Kubernetes 1.35 a last resort`, fix: 'Boot with cgroup v2.' };
    }
    return { severity: 'ok', found };
  },
});
