import { formatBytes } from '../../base/bytes.js';
import { parseReference } from '../../registry/reference.js';
import type { BringOutcome } from './image-desk.js';
import type { ImageWait, PodKey } from './pod-waits.js';

const podsNamed = 3;

/** `mirror …: fetched, 45 MB; for default/web, default/api and 2 more`. */
export function arrivalText({ from, sizeBytes }: Extract<BringOutcome, { ok: true }>, pods: readonly PodKey[]): string {
  return `${from}, ${formatBytes(sizeBytes)} in the engine; for ${podList(pods)}`;
}

/** What was tried, a line a source, and that it is tried again. */
export function failureText(
  { message, reasons }: Extract<BringOutcome, { ok: false }>,
  pods: readonly PodKey[],
): string {
  return [`${message}; wanted by ${podList(pods)}`, ...reasons.map((reason) => `  - ${reason}`)].join('\n');
}

/** Why a container can't be helped, and what the user can do. */
export function refusalText(
  { namespace, name }: PodKey,
  { container, image, reference, remedy }: ImageWait,
): { readonly text: string; readonly hint: string } {
  const who = `pod ${namespace}/${name}, container ${container} (${image})`;
  const { domain } = parseReference(reference);
  const hub = ' For Docker Hub alone, hyperup engine configure --registry-mirror URL helps too.';
  const throughEngine = domain === 'docker.io' ? hub : '';
  switch (remedy) {
    case 'digest':
      return {
        text: `${who}: it is named by digest, and an engine knows digests only of what it pulled itself`,
        hint: `Name it by a tag, without the digest; --lock holds tags to digests.${throughEngine}`,
      };
    case 'never':
      return {
        text: `${who}: imagePullPolicy is Never, so nothing is brought for it`,
        hint: `hyperup images import ${reference} brings it.`,
      };
    default:
      return {
        text: `${who}: imagePullPolicy is Always: its kubelet asks the registry whatever the engine has`,
        hint: `Set imagePullPolicy: IfNotPresent where the pod is made, and use a tag other than latest.${throughEngine}`,
      };
  }
}

function podList(pods: readonly PodKey[]): string {
  const names = pods.slice(0, podsNamed).map(({ namespace, name }) => `${namespace}/${name}`);
  if (names.length === 0) return 'no pod any more';
  const more = pods.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}
