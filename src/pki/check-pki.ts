import { formatDuration } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { type CertificateFacts, inspectCertificate, isPublicHalf, readPrivateKey } from './inspect-certificate.js';
import { readEntry, type StoredEntry } from './pki-files.js';
import type { AuthorityName, CertificateRequestSpec, LeafSpec, PkiFinding, PkiProblem } from './types.js';

/** How long before its end a certificate counts as due: half a year. */
export const defaultRenewBeforeMs = 180 * 24 * 3600 * 1000;

export interface CheckPkiOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Default `defaultRenewBeforeMs`. */
  readonly renewBeforeMs?: number | undefined;
}

/** Compares a PKI folder with the plan, one finding an entry, in the plan's order. Reads only. */
export async function checkPki(
  dir: string,
  plan: readonly CertificateRequestSpec[],
  options: CheckPkiOptions,
): Promise<readonly PkiFinding[]> {
  const stored = await Promise.all(plan.map((spec) => readEntry(dir, spec)));
  const authorities = new Map<AuthorityName, CertificateFacts | undefined>();
  plan.forEach((spec, index) => {
    const certPem = stored[index]?.certPem;
    if (spec.kind === 'authority' && certPem !== undefined) authorities.set(spec.name, inspectCertificate(certPem));
  });
  return plan.flatMap((spec, index) => {
    const entry = stored[index];
    return entry ? [judgeEntry(spec, entry, (name) => authorities.get(name), options)] : [];
  });
}

/** Judges one entry from what was read of it. Pure. */
export function judgeEntry(
  spec: CertificateRequestSpec,
  entry: StoredEntry,
  authorityOf: (name: AuthorityName) => CertificateFacts | undefined,
  options: CheckPkiOptions,
): PkiFinding {
  const problems = new Map<PkiProblem, string>();
  const facts = spec.kind === 'keyPair' || entry.certPem === undefined ? undefined : inspectCertificate(entry.certPem);
  judgeKey(spec, entry, facts, problems);
  if (facts && spec.kind !== 'keyPair') {
    const issuer = spec.kind === 'leaf' ? authorityOf(spec.issuer) : facts;
    judgeValidity(facts, issuer, options, problems);
    if (spec.kind === 'leaf') judgeLeaf(spec, facts, issuer, problems);
    else if (!facts.certificate.ca) problems.set('notAnAuthority', 'the certificate may not sign others');
    else if (!facts.certificate.verify(facts.certificate.publicKey)) {
      problems.set('wrongIssuer', 'the certificate is not signed by its own key');
    }
  }
  return {
    name: spec.name,
    kind: spec.kind,
    path: entry.certPath,
    problems: [...problems.keys()],
    message: [...problems.values()].join('; '),
    notBefore: facts && new Date(facts.notBeforeMs).toISOString(),
    expires: facts && new Date(facts.notAfterMs).toISOString(),
  };
}

function judgeKey(
  spec: CertificateRequestSpec,
  entry: StoredEntry,
  facts: CertificateFacts | undefined,
  problems: Map<PkiProblem, string>,
): void {
  if (entry.certPem === undefined) problems.set('missing', `${entry.certPath} does not exist`);
  else if (!facts && spec.kind !== 'keyPair') problems.set('unreadable', `${entry.certPath} holds no certificate`);
  if (entry.keyPem === undefined) {
    problems.set('keyMissing', `${entry.keyPath} does not exist`);
    return;
  }
  if (entry.keyExposed) problems.set('keyExposed', `${entry.keyPath} may be read by others`);
  const key = readPrivateKey(entry.keyPem);
  if (!key) {
    problems.set('unreadable', `${entry.keyPath} holds no private key`);
    return;
  }
  const matches = facts
    ? facts.certificate.checkPrivateKey(key)
    : spec.kind !== 'keyPair' || entry.certPem === undefined || isPublicHalf(entry.certPem, key);
  if (!matches) problems.set('keyMismatch', `${entry.keyPath} is not the key of ${entry.certPath}`);
}

function judgeValidity(
  facts: CertificateFacts,
  issuer: CertificateFacts | undefined,
  options: CheckPkiOptions,
  problems: Map<PkiProblem, string>,
): void {
  const now = options.clock.now();
  const until = new Date(facts.notAfterMs).toISOString();
  const renewBeforeMs = options.renewBeforeMs ?? defaultRenewBeforeMs;
  // A leaf never outlives its authority, so one that lasts as long is not due however close the end: a new one gains nothing.
  const asLongAsPossible = issuer !== facts && issuer !== undefined && facts.notAfterMs >= issuer.notAfterMs;
  if (now < facts.notBeforeMs) {
    problems.set(
      'notYetValid',
      `it is valid from ${new Date(facts.notBeforeMs).toISOString()}, but the clock says ${new Date(now).toISOString()}`,
    );
  } else if (now >= facts.notAfterMs) {
    problems.set('expired', `it expired at ${until}, and the clock says ${new Date(now).toISOString()}`);
  } else if (now >= facts.notAfterMs - renewBeforeMs && !asLongAsPossible) {
    problems.set('expiresSoon', `it expires at ${until}, in ${formatDuration(facts.notAfterMs - now)}`);
  }
}

function judgeLeaf(
  spec: LeafSpec,
  facts: CertificateFacts,
  issuer: CertificateFacts | undefined,
  problems: Map<PkiProblem, string>,
): void {
  const { certificate } = facts;
  if (!issuer || !certificate.checkIssued(issuer.certificate) || !certificate.verify(issuer.certificate.publicKey)) {
    problems.set('wrongIssuer', `it is not signed by the present ${spec.issuer}`);
  }
  const organizations = [...spec.organizations].sort();
  if (facts.commonName !== spec.commonName || !sameList(facts.organizations, organizations)) {
    problems.set(
      'wrongSubject',
      `it is for ${subjectText(facts.commonName, facts.organizations)}, want ${subjectText(spec.commonName, organizations)}`,
    );
  }
  const wanted = [...spec.dnsNames, ...spec.ipAddresses];
  const found = [...facts.dnsNames, ...facts.ipAddresses];
  const missing = wanted.filter((name) => !found.includes(name));
  const surplus = found.filter((name) => !wanted.includes(name));
  if (missing.length > 0 || surplus.length > 0) {
    const parts = [
      ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
      ...(surplus.length > 0 ? [`has ${surplus.join(', ')} too many`] : []),
    ];
    problems.set('wrongNames', `of its names it ${parts.join(' and ')}`);
  }
  if (!sameList(facts.usages, [...spec.usages].sort())) {
    problems.set('wrongUsages', `it is for ${facts.usages.join(' and ')} use, want ${spec.usages.join(' and ')}`);
  }
}

function subjectText(commonName: string, organizations: readonly string[]): string {
  return [`CN=${commonName}`, ...organizations.map((organization) => `O=${organization}`)].join(',');
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
