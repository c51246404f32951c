import { HyperupError } from '../base/errors.js';
import type { OptionSources } from '../config/gather.js';
import type { SetOptions } from '../config/transfer-options.js';
import type { ClusterQuery, InstallOptions } from '../config/types.js';
import { printNote } from './output.js';
import type { Session } from './session.js';

/** Flags, environment, files and host of this run. */
export async function optionSources(session: Session): Promise<OptionSources> {
  const { dependencies, invocation } = session;
  const host = dependencies.readHost(dependencies.env);
  const files = await dependencies.readConfigFiles(textOption(session, 'config'), host);
  return { flags: invocation.flags, env: dependencies.env, files, host };
}

/** Everything an install needs; notes are printed. Throws `Usage` or `InvalidConfig` with every fault. */
export async function installOptions(session: Session): Promise<InstallOptions> {
  const [{ resolveInstallOptions }, sources, known] = await Promise.all([
    import('../config/resolve-options.js'),
    optionSources(session),
    session.dependencies.loadKnownNames(),
  ]);
  const { options, notes } = resolveInstallOptions({ ...sources, known });
  for (const note of notes) printNote(session, note);
  return options;
}

/** What verbs on an existing cluster need; notes are printed. Throws `Usage` or `InvalidConfig` with every fault. */
export async function clusterQuery(session: Session): Promise<ClusterQuery> {
  const [{ resolveQuery }, sources] = await Promise.all([
    import('../config/resolve-options.js'),
    optionSources(session),
  ]);
  const { options, notes } = resolveQuery(sources);
  for (const note of notes) printNote(session, note);
  return options;
}

/** What verbs need that move images; notes are printed. Throws `Usage` or `InvalidConfig` with every fault. */
export async function transferOptions(session: Session): Promise<Pick<InstallOptions, 'images' | 'engineHost'>> {
  const [{ resolveTransferOptions }, sources] = await Promise.all([
    import('../config/transfer-options.js'),
    optionSources(session),
  ]);
  const { options, notes } = await resolveTransferOptions(sources);
  for (const note of notes) printNote(session, note);
  return options;
}

/** What verbs need that move a release's images; notes are printed. Throws `Usage` or `InvalidConfig` with every fault. */
export async function setOptions(session: Session): Promise<SetOptions> {
  const [{ resolveSetOptions }, sources] = await Promise.all([
    import('../config/transfer-options.js'),
    optionSources(session),
  ]);
  const { options, notes } = await resolveSetOptions(sources, () => session.dependencies.loadKnownNames());
  for (const note of notes) printNote(session, note);
  return options;
}

export function textOption(session: Session, name: string): string | undefined {
  const value = session.invocation.options[name];
  return typeof value === 'string' ? value : undefined;
}

export function listOption(session: Session, name: string): readonly string[] {
  const value = session.invocation.options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

export function flagOption(session: Session, name: string): boolean {
  return session.invocation.options[name] === true;
}

/** Throws `Usage` where both flags were given. */
export function refuseTogether(session: Session, first: [string, string], second: [string, string], why: string): void {
  if (!flagOption(session, first[0]) || !flagOption(session, second[0])) return;
  throw new HyperupError('Usage', `check options: ${first[1]} and ${second[1]}: choose one: ${why}`);
}
