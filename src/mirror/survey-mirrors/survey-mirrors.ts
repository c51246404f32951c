import type { Clock } from '../../base/clock.js';
import { throwIfAborted } from '../../base/errors.js';
import { formatReference, type ImageReference, parseReference } from '../../registry/reference.js';
import type { Descriptor, RegistryClients } from '../../registry/types.js';
import type { ReleaseImage } from '../../release/types.js';
import type { Mirror } from '../mirror.js';
import { mirrorCandidates, parseMirrors } from '../mirror-spec.js';
import { mirrorPresets } from '../presets.js';
import type { ProbeFailure } from '../probe-failure.js';
import type { ProbeSuccess, RegistryProbe } from '../registry-probe.js';
import { sharedSignal } from '../time-limit.js';
import { type MeasureOptions, measureBlob, measureLatency } from './measure.js';
import { poisonedDns } from './poisoned-dns.js';
import { rankMirrors, suggestMirrors } from './rank.js';
import type { MirrorFault, MirrorImage, MirrorReport, MirrorSurvey } from './types.js';

export interface SurveyMirrorsOptions {
  readonly images: readonly ReleaseImage[];
  /** As `--mirror` takes them; none: those of all presets, and upstream. */
  readonly mirrors: readonly string[];
  readonly clients: Pick<RegistryClients, 'clientFor'>;
  readonly probe: RegistryProbe;
  /** The system resolver's addresses of a name; empty where it has none. Never rejects. */
  readonly lookUp: (name: string) => Promise<readonly string[]>;
  /** In an image's terms. */
  readonly architecture: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** For one mirror's measurements, after its manifests. */
const measureMs = 8_000;
/** RFC 6761 promises that nothing below it exists. */
const bogusName = 'no-such-registry.hyperup.invalid';

interface Test extends SurveyMirrorsOptions {
  readonly measuring: MeasureOptions;
  readonly bogus: Promise<readonly string[]>;
}

/**
 * Tests mirrors all at once, each as a pull would use it: its registry, the manifests of the images, and a real blob.
 * Takes bounded time. Throws `InvalidConfig` for malformed mirrors, and `Aborted`.
 */
export async function surveyMirrors(options: SurveyMirrorsOptions): Promise<MirrorSurvey> {
  const { images, clock } = options;
  const signal = sharedSignal(options.signal);
  const words = options.mirrors.length > 0 ? options.mirrors : mirrorPresets.map(({ name }) => name);
  const { entries } = parseMirrors(words);
  const asked = entries.filter((entry) => images.some((image) => candidates(entry, image).length > 0));
  const test: Test = {
    ...options,
    signal,
    measuring: { clock, signal, limitMs: measureMs },
    bogus: options.lookUp(bogusName),
  };
  const reports = await Promise.all(asked.map((entry) => testMirror(entry, test)));
  throwIfAborted(signal, 'test mirrors');
  const mirrors = rankMirrors(reports);
  return {
    mirrors,
    notAsked: entries.flatMap((entry) => (asked.includes(entry) || entry === 'upstream' ? [] : [entry.name])),
    ...suggestMirrors(
      mirrors,
      images.map(({ name }) => name),
    ),
  };
}

function candidates(entry: Mirror | 'upstream', image: ReleaseImage): readonly ImageReference[] {
  const canonical = parseReference(image.reference);
  return entry === 'upstream' ? [canonical] : mirrorCandidates(entry, canonical);
}

interface Found {
  readonly image: MirrorImage;
  readonly host: string;
  readonly answer: ProbeSuccess | undefined;
  readonly failure: ProbeFailure | undefined;
}

async function testMirror(entry: Mirror | 'upstream', test: Test): Promise<MirrorReport> {
  const found = await Promise.all(test.images.map((image) => findImage(entry, image, test)));
  const scheme = entry === 'upstream' ? undefined : entry.scheme;
  const sample = largestBlob(found);
  const host = sample?.host ?? found.find(({ failure }) => !failure?.wholeHost)?.host;
  const client = host === undefined ? undefined : test.clients.clientFor(host, scheme);
  const latencyMs = client ? await measureLatency(client, test.measuring) : undefined;
  const rate = client && sample ? await measureBlob(client, sample.reference, sample.blob, test.measuring) : undefined;
  const hosts = [...new Set(found.map((each) => each.host))];
  const fault = typeof rate === 'object' ? await explain(rate, host ?? '', test, true) : await worstFault(found, test);
  return {
    mirror: entry === 'upstream' ? `upstream (${hosts.join(', ')})` : entry.name,
    word: entry === 'upstream' ? 'upstream' : wordOf(entry),
    hosts,
    reachable: found.some(({ failure }) => !failure?.wholeHost),
    latencyMs: latencyMs === undefined ? undefined : Math.round(latencyMs),
    bytesPerSecond: typeof rate === 'number' ? Math.round(rate) : undefined,
    images: found.map(({ image }) => image),
    fault,
  };
}

async function findImage(entry: Mirror | 'upstream', image: ReleaseImage, test: Test): Promise<Found> {
  const { probe, architecture, signal } = test;
  const names = candidates(entry, image);
  const scheme = entry === 'upstream' ? undefined : entry.scheme;
  const named = { name: image.name, reference: image.reference };
  let failure: ProbeFailure | undefined;
  let host = names[0]?.domain ?? '';
  for (const candidate of names) {
    const reference = formatReference(candidate);
    const answer = await probe.probe({ reference, scheme, architecture }, signal);
    host = candidate.domain;
    if (answer.ok) return { image: { ...named, has: true, detail: reference }, host, answer, failure: undefined };
    failure ??= answer;
    if (answer.wholeHost) break;
  }
  const detail = failure?.reason ?? 'it copies other registries only';
  return { image: { ...named, has: false, detail }, host, answer: undefined, failure };
}

/** The biggest layer that was found: it tells the rate best, and is what a pull would wait for. */
function largestBlob(found: readonly Found[]) {
  const blobs = found.flatMap(({ answer, image, host }) =>
    (answer?.image?.layers ?? []).map((blob: Descriptor) => ({ blob, host, reference: image.detail })),
  );
  return blobs.toSorted((a, b) => b.blob.size - a.blob.size)[0];
}

/** A registry that serves and lacks an image is none the worse; one that has none of them says why. */
async function worstFault(found: readonly Found[], test: Test): Promise<MirrorFault | undefined> {
  const failures = found.flatMap(({ failure, host }) => (failure ? [{ failure, host }] : []));
  const worst =
    failures.find(({ failure }) => failure.wholeHost) ??
    failures.find(({ failure }) => failure.kind !== 'notFound') ??
    (failures.length === found.length ? failures[0] : undefined);
  return worst && (await explain(worst.failure, worst.host, test, false));
}

/** Failures that a lying resolver may be behind. */
const maybeDns: ReadonlySet<string> = new Set([
  'dns',
  'refused',
  'unreachable',
  'timeout',
  'broken',
  'tls',
  'notRegistry',
]);

async function explain(failure: ProbeFailure, host: string, test: Test, ofBlob: boolean): Promise<MirrorFault> {
  // Where a registry sends on to another host it is that one's name which may lead astray.
  const elsewhere = /sends on to ([^\s:]+(?::\d+)?):/.exec(failure.reason)?.[1];
  const at = elsewhere ?? host;
  if (maybeDns.has(failure.kind)) {
    const name = at.replace(/:\d+$/, '');
    const poisoned = poisonedDns(at, await test.lookUp(name), await test.bogus);
    if (poisoned !== undefined) return { kind: 'dnsPoisoned', reason: `${poisoned} (${failure.reason})` };
  }
  if (ofBlob && elsewhere !== undefined)
    return { kind: 'redirect', reason: `its blobs are elsewhere: ${failure.reason}` };
  return { kind: failure.kind, reason: ofBlob ? `its blobs: ${failure.reason}` : failure.reason };
}

/** One template is what it is; two are those of a plain place, whose name makes them again. */
function wordOf({ name, templates, scheme }: Mirror): string {
  const [only] = templates;
  const place = templates.length === 1 && only !== undefined ? only : name;
  return scheme === undefined ? place : `${scheme}://${place}`;
}
