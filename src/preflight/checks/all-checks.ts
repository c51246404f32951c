import type { Check } from '../types.js';
import { cgroupsCheck, engineCheck, privilegedCheck, rootCheck } from './engine-checks.js';
import {
  bridgeNetfilterCheck,
  ipForwardCheck,
  kernelCheck,
  mountPropagationCheck,
  selinuxCheck,
} from './kernel-checks.js';
import { clockCheck, firewallCheck, formerInstallCheck, iptablesFlavourCheck } from './machine-checks.js';
import { cidrOverlapCheck, hostnameCheck, nodeAddressCheck, portsCheck, resolverCheck } from './network-checks.js';
import { cpuCheck, diskCheck, memoryCheck, swapCheck } from './room-checks.js';

/** Every check, in the order they are printed. */
export const allChecks: readonly Check[] = [
  rootCheck,
  engineCheck,
  privilegedCheck,
  formerInstallCheck,
  portsCheck,
  cgroupsCheck,
  kernelCheck,
  memoryCheck,
  diskCheck,
  cpuCheck,
  swapCheck,
  bridgeNetfilterCheck,
  ipForwardCheck,
  mountPropagationCheck,
  hostnameCheck,
  nodeAddressCheck,
  cidrOverlapCheck,
  resolverCheck,
  clockCheck,
  firewallCheck,
  iptablesFlavourCheck,
  selinuxCheck,
];

/** The names that `--skip-preflight` takes. */
export const preflightIds: readonly string[] = allChecks.map(({ id }) => id);
