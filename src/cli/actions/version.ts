import { defaultKubernetesVersion } from '../../config/defaults.js';
import { printResult } from '../output.js';
import type { Session } from '../session.js';

/** `version`: hyperup's version, that of Node, and the Kubernetes versions that it installs. */
export async function versionAction(session: Session): Promise<number> {
  const { releases = [] } = await session.dependencies.loadKnownNames();
  const result = {
    hyperup: session.dependencies.version,
    node: process.version,
    kubernetes: { default: defaultKubernetesVersion, known: releases.map((release) => release.version) },
  };
  printResult(session, result, () =>
    [
      `hyperup     ${result.hyperup}`,
      `node        ${result.node}`,
      `kubernetes  ${result.kubernetes.default} (known: ${result.kubernetes.known.join(', ')})`,
    ].join('\n'),
  );
  return 0;
}
