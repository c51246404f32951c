import { HyperupError } from '../../base/errors.js';
import type { EngineInfo } from '../../docker/types.js';
import type { EngineStatus } from '../../engine/engine-status.js';
import { clusterQuery, listOption } from '../options.js';
import { printResult } from '../output.js';
import { runOperation } from '../run-operation.js';
import type { Session } from '../session.js';

/** `engine status`: which engine answers, where, and what matters of it. Exit code 1 where none answers. */
export async function engineStatusAction(session: Session): Promise<number> {
  const query = await clusterQuery(session);
  const verbs = await session.dependencies.loadVerbs();
  const status = await verbs.engineStatus(query, session.run);
  printResult(session, status, () => statusText(status), status.answers);
  return status.answers ? 0 : 1;
}

/** `engine install`: installs and starts the distribution's Docker package where no engine answers. */
export async function engineInstallAction(session: Session): Promise<number> {
  const { engineHost, timeoutMs } = await clusterQuery(session);
  const verbs = await session.dependencies.loadVerbs();
  session.describeStop('stopping; packages that are installed by then stay');
  const result = await runOperation(session, (run) => verbs.engineInstall({ engineHost, timeoutMs }, run));
  printResult(session, result, () => {
    const head = result.changed ? 'An engine is installed and answers.' : 'An engine answers already; nothing changed.';
    return [head, ...(result.info === undefined ? [] : ['', infoText(result.info)])].join('\n');
  });
  return 0;
}

/** `engine configure`: adds registry mirrors and insecure registries to daemon.json and reloads the engine. */
export async function engineConfigureAction(session: Session): Promise<number> {
  const registryMirrors = listOption(session, 'registryMirror');
  const insecureRegistries = listOption(session, 'insecureRegistry');
  if (registryMirrors.length + insecureRegistries.length === 0) {
    throw new HyperupError(
      'Usage',
      'engine configure: got nothing to add, want --registry-mirror or --insecure-registry',
    );
  }
  const { engineHost } = await clusterQuery(session);
  const verbs = await session.dependencies.loadVerbs();
  const options = { engineHost, registryMirrors, insecureRegistries };
  const result = await runOperation(session, (run) => verbs.engineConfigure(options, run));
  printResult(session, result, () => {
    if (!result.changed) return `${result.path} says so already; nothing changed.`;
    const backup = result.backup === undefined ? '' : ` The former file is ${result.backup}.`;
    const when = result.reloaded ? 'the engine has taken it over' : 'an engine will read it when it starts';
    return `Changed ${result.path}; ${when}.${backup}`;
  });
  return 0;
}

function statusText(status: EngineStatus): string {
  const { info, problem, dockerd, config } = status;
  const lists = Object.entries(config.lists).map(([name, entries]): Fact => [name, entries?.join(' ')]);
  const daemon: readonly Fact[] = [
    ['dockerd', dockerd ?? 'not installed'],
    ['daemon.json', config.fault ?? (config.present ? config.path : `${config.path} (absent)`)],
    ...lists,
  ];
  if (info !== undefined) return `${infoText(info)}\n${factLines(daemon)}`;
  const hint = problem?.hint ?? 'Run "hyperup engine install" to install or start one.';
  return `No engine answers: ${problem?.message ?? 'the reason is unknown'}\n${hint}\n\n${factLines(daemon)}`;
}

function infoText(info: EngineInfo): string {
  return factLines([
    ['endpoint', info.endpoint],
    ['version', info.version],
    ['API version', `${info.apiVersion} (the engine takes ${info.minApiVersion} to ${info.maxApiVersion})`],
    ['system', `${info.operatingSystem}, ${info.architecture}`],
    ['cgroups', `v${info.cgroupVersion}, ${info.cgroupDriver} driver`],
    ['storage', `${info.storageDriver} in ${info.rootDir}`],
    ['warnings', info.warnings.join('; ')],
  ]);
}

type Fact = readonly [name: string, value: string | undefined];

function factLines(facts: readonly Fact[]): string {
  return facts
    .filter(([, value]) => value)
    .map(([name, value]) => `${name.padEnd(20)} ${value}`)
    .join('\n');
}
