import { chmod } from 'node:fs/promises';
import type { Clock } from '../base/clock.js';
import { HyperupError } from '../base/errors.js';
import { fileError, writeAtomic } from '../base/files.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { makeFolder } from '../base/make-folder.js';
import { judgeEntry } from './check-pki.js';
import { type CertificateFacts, inspectCertificate, publicHalf } from './inspect-certificate.js';
import {
  generateKeyPair,
  issueAuthority,
  issueLeaf,
  openAuthority,
  type SigningAuthority,
} from './issue-certificate.js';
import { readEntry, type StoredEntry } from './pki-files.js';
import type {
  AuthorityName,
  AuthoritySpec,
  CertificateName,
  CertificateRequestSpec,
  Identity,
  LeafName,
  LeafSpec,
  PkiFinding,
  PkiProblem,
} from './types.js';

export interface EnsurePkiOptions {
  readonly dir: string;
  readonly plan: readonly CertificateRequestSpec[];
  readonly clock: Pick<Clock, 'now'>;
  readonly renewBeforeMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** The folder's content after `ensurePki`. Holds private keys: never log it. */
export interface PkiBundle {
  readonly dir: string;
  /** What was made in this call and why (`missing`, or what was wrong); empty on the second call. */
  readonly issued: readonly { readonly name: CertificateName; readonly reason: string }[];
  /** ISO 8601: when the first of the certificates ends. */
  readonly earliestExpiry: string;
  /** An authority's certificate, PEM. */
  authorityPem(name: AuthorityName): string;
  identity(name: LeafName): Identity;
}

/** Before this the clock is certainly wrong: a board without a battery starts in 1970. */
const plausibleSinceMs = Date.UTC(2024, 0, 1);

/**
 * Makes the folder hold what the plan says. What is valid stays byte for byte; a leaf that is due, broken or not as
 * planned is made anew; keys are 0600. An authority is made only where there is none: a broken or expired one throws
 * `Conflict`, because replacing it would lock out everyone who trusts it. Can be interrupted and run again at any point.
 * Throws `PreflightFailed` where the clock can't be right. Not for two callers at once.
 */
export async function ensurePki(options: EnsurePkiOptions): Promise<PkiBundle> {
  const { dir, plan, clock, logger = silentLogger } = options;
  assertPlausibleClock(clock.now());
  try {
    await makeFolder(dir, 0o700);
  } catch (error) {
    throw fileError('make folder', dir, error);
  }
  const entries = await Promise.all(plan.map(async (spec) => ({ spec, stored: await readEntry(dir, spec) })));
  const issued: { name: CertificateName; reason: string }[] = [];
  const identities = new Map<CertificateName, Identity | { readonly certPem: string }>();

  const keep = async (stored: StoredEntry, finding: PkiFinding) => {
    if (finding.problems.includes('keyExposed')) await chmod(stored.keyPath, 0o600);
    return { certPem: stored.certPem ?? '', ...(stored.keyPem === undefined ? {} : { keyPem: stored.keyPem }) };
  };
  const store = async (stored: StoredEntry, finding: PkiFinding, made: Identity) => {
    // The key first: a certificate whose key is there is complete whenever we are interrupted.
    await writeAtomic(stored.keyPath, made.keyPem, 0o600);
    await writeAtomic(stored.certPath, made.certPem, 0o644);
    issued.push({ name: finding.name, reason: finding.message });
    logger.info('Certificate issued', { name: finding.name, path: stored.certPath, reason: finding.message });
    return made;
  };

  await Promise.all(
    entries.map(async ({ spec, stored }) => {
      if (spec.kind === 'leaf') return;
      const finding = judgeEntry(spec, stored, () => undefined, options);
      const made =
        spec.kind === 'authority'
          ? await planAuthority(spec, stored, finding, clock.now())
          : await planKeyPair(stored, finding);
      identities.set(spec.name, made ? await store(stored, finding, made) : await keep(stored, finding));
    }),
  );
  const signers = new Map<AuthorityName, Promise<SigningAuthority>>();
  const facts = new Map<AuthorityName, CertificateFacts | undefined>();
  for (const { spec } of entries) {
    const identity = identities.get(spec.name);
    if (spec.kind === 'authority' && identity) facts.set(spec.name, inspectCertificate(identity.certPem));
  }
  await Promise.all(
    entries.map(async ({ spec, stored }) => {
      if (spec.kind !== 'leaf') return;
      const finding = judgeEntry(spec, stored, (name) => facts.get(name), options);
      if (finding.problems.every((problem) => problem === 'keyExposed')) {
        identities.set(spec.name, await keep(stored, finding));
        return;
      }
      const authority = identities.get(spec.issuer);
      if (!authority || !('keyPem' in authority)) throw noSigningKey(spec, finding);
      const signer = signers.get(spec.issuer) ?? openAuthority(authority);
      signers.set(spec.issuer, signer);
      identities.set(spec.name, await store(stored, finding, await issueLeaf(spec, await signer, clock.now())));
    }),
  );

  const order = new Map(plan.map((spec, index) => [spec.name, index]));
  issued.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
  return makeBundle(dir, issued, identities);
}

function makeBundle(
  dir: string,
  issued: PkiBundle['issued'],
  identities: ReadonlyMap<CertificateName, Identity | { readonly certPem: string }>,
): PkiBundle {
  const ends = [...identities].flatMap(([name, { certPem }]) =>
    name === 'sa' ? [] : (inspectCertificate(certPem)?.notAfterMs ?? []),
  );
  const find = (name: CertificateName) => {
    const found = identities.get(name);
    if (!found) throw new HyperupError('NotFound', `find certificate: ${name} is not in the plan`);
    return found;
  };
  return {
    dir,
    issued,
    earliestExpiry: new Date(Math.min(...ends)).toISOString(),
    authorityPem: (name) => find(name).certPem,
    identity: (name) => {
      const found = find(name);
      if (!('keyPem' in found)) throw new HyperupError('NotFound', `find certificate: ${name} has no key`);
      return found;
    },
  };
}

function assertPlausibleClock(nowMs: number): void {
  if (nowMs >= plausibleSinceMs) return;
  const now = new Date(nowMs).toISOString();
  throw new HyperupError('PreflightFailed', `issue certificates: the clock says ${now}, which can't be right`, {
    hint: 'Set the clock (date -s, chronyc or ntpd), then run the command again: certificates made now would be refused later.',
    details: { now },
  });
}

/** Faults of an authority that can be mended without a new key. */
const mendable: readonly PkiProblem[] = ['keyExposed', 'expiresSoon', 'keyMissing'];

/** The authority to store, or undefined to keep what is there. */
async function planAuthority(
  spec: AuthoritySpec,
  stored: StoredEntry,
  finding: PkiFinding,
  nowMs: number,
): Promise<Identity | undefined> {
  if (stored.certPem === undefined && stored.keyPem === undefined) return await issueAuthority(spec, nowMs);
  if (stored.certPem === undefined && !finding.problems.includes('unreadable')) {
    // Interrupted between the two files, or the certificate was lost: the same key keeps all that it signed valid.
    return await issueAuthority(spec, nowMs, stored.keyPem);
  }
  if (finding.problems.every((problem) => mendable.includes(problem))) return undefined;
  const byClock = finding.problems.some((problem) => problem === 'expired' || problem === 'notYetValid');
  throw new HyperupError('Conflict', `keep authority ${spec.name} (${stored.certPath}): ${finding.message}`, {
    hint: byClock
      ? "Check the machine's clock first. If it is right, the cluster needs a new authority: uninstall, then install again."
      : `Restore ${stored.certPath} and ${stored.keyPath} from a backup, or uninstall and install again for new ones.`,
    details: { name: spec.name, certPath: stored.certPath, problems: finding.problems },
  });
}

/** The service-account keys to store, or undefined to keep them. A lost public half is made from the private one. */
async function planKeyPair(stored: StoredEntry, finding: PkiFinding): Promise<Identity | undefined> {
  if (finding.problems.every((problem) => problem === 'keyExposed')) return undefined;
  if (stored.keyPem === undefined && stored.certPem === undefined) {
    const { keyPem, publicPem } = await generateKeyPair();
    return { keyPem, certPem: publicPem };
  }
  if (stored.keyPem !== undefined && stored.certPem === undefined && !finding.problems.includes('unreadable')) {
    return { keyPem: stored.keyPem, certPem: publicHalf(stored.keyPem) };
  }
  throw new HyperupError('Conflict', `keep service-account keys ${stored.keyPath}: ${finding.message}`, {
    hint: `Restore ${stored.keyPath} and ${stored.certPath} from a backup, or uninstall and install again for new ones.`,
    details: { keyPath: stored.keyPath, problems: finding.problems },
  });
}

function noSigningKey(spec: LeafSpec, finding: PkiFinding): HyperupError {
  return new HyperupError(
    'Conflict',
    `issue certificate ${spec.name}: ${finding.message}, and the key of ${spec.issuer} is not here to sign a new one`,
    { hint: `Put the key of ${spec.issuer} into the PKI folder, or the certificate ${finding.path}.` },
  );
}
