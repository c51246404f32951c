import { load } from 'js-yaml';
import type { Clock } from '../base/clock.js';
import { HyperupError, messageOf } from '../base/errors.js';
import { readTextIfPresent } from '../base/files.js';
import type { Logger } from '../base/logger.js';
import { type Environment, environmentValue } from '../config/environment.js';
import type { HostFacts } from '../config/host-facts.js';
import { readConfiguration } from '../kubelet/config/kubelet-configuration.js';
import { flagTable, parseKubeletFlags } from '../kubelet/config/kubelet-flags.js';
import type { KubeletOptions } from '../kubelet/config/kubelet-options.js';
import { resolveKubeletOptions } from '../kubelet/config/resolve-kubelet-options.js';

export interface KubeletProcess {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly host: HostFacts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What the node reports where no flag says otherwise: the oldest release that the kubelet was made for. */
const defaultVersion = 'v1.20.2';
const defaultPauseImage = 'k8s.gcr.io/pause:3.2';

/** The options of a kubelet from its command line and its file. Throws `Usage`, `NotFound`, `InvalidConfig`. */
export async function readKubeletOptions(call: Pick<KubeletProcess, 'argv' | 'env' | 'host'>): Promise<KubeletOptions> {
  const flags = parseKubeletFlags(call.argv);
  const path = typeof flags['config'] === 'string' ? flags['config'] : undefined;
  const parsed = path === undefined ? {} : await readYaml(path);
  const configuration = path === undefined ? new Map<string, unknown>() : readConfiguration(parsed, path);
  return resolveKubeletOptions({
    flags,
    configuration,
    parsed: parsed as Readonly<Record<string, unknown>>,
    host: {
      hostname: call.host.hostname,
      defaultAddress: call.host.nodeAddress,
      // In a container that shares the host's processes the parent is the engine's shim, which sees the host's files as the
      // engine does. Process 1 would do on most machines, but is out of bounds on some.
      hostRoot: environmentValue(call.env, 'HYPERUP_IN_CONTAINER') === 'true' ? `/proc/${process.ppid}/root` : '',
    },
    defaultVersion,
    defaultPauseImage,
  });
}

async function readYaml(path: string): Promise<unknown> {
  const text = await readTextIfPresent(path);
  if (text === undefined) throw new HyperupError('NotFound', `read ${path}: it does not exist`);
  try {
    return load(text);
  } catch (error) {
    throw new HyperupError('InvalidConfig', `read ${path}: not YAML: ${messageOf(error)}`, { cause: error });
  }
}

/** Runs the built-in kubelet until the signal fires. */
export async function runKubeletProcess(call: KubeletProcess): Promise<void> {
  const options = await readKubeletOptions(call);
  const { runKubelet } = await import('../kubelet/kubelet.js');
  await runKubelet(options, {
    env: call.env,
    clock: call.clock,
    logger: call.logger,
    signal: call.signal,
  });
}

/** `hyperup kubelet --help`. */
export function kubeletHelp(): string {
  const rows = Object.entries(flagTable)
    .filter(([, { ignored }]) => !ignored)
    .map(([name, { summary, boolean }]) => `  --${name}${boolean ? '' : '=…'}`.padEnd(42) + summary);
  return [
    'Usage: hyperup kubelet [--config=FILE] [--kubeconfig=FILE] [flags]',
    '',
    'The built-in kubelet: runs the pods of one node on the Docker Engine, in the foreground.',
    'A KubeletConfiguration v1beta1 file says how; flags, by the names that the kubelet has, outrank it.',
    '',
    ...rows,
    '',
  ].join('\n');
}
