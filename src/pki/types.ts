/** The three authorities of a cluster; each trusts only what it signed itself. */
export type AuthorityName = 'ca' | 'etcd-ca' | 'front-proxy-ca';

/** Every leaf certificate of a single-node cluster. */
export type LeafName =
  | 'apiserver'
  | 'apiserver-kubelet-client'
  | 'apiserver-etcd-client'
  | 'front-proxy-client'
  | 'etcd-server'
  | 'etcd-peer'
  | 'etcd-healthcheck-client'
  | 'kubelet'
  | 'kubelet-client'
  | 'admin'
  | 'controller-manager'
  | 'scheduler'
  | 'kube-proxy'
  | 'hyperup-health';

export type CertificateName = AuthorityName | LeafName | 'sa';

/** `serverAuth` and `clientAuth` of RFC 5280, section 4.2.1.12. */
export type CertificateUsage = 'server' | 'client';

/** A self-signed authority: `<path>.crt` and `<path>.key`. */
export interface AuthoritySpec {
  readonly kind: 'authority';
  readonly name: AuthorityName;
  /** Relative to the PKI folder, without suffix. */
  readonly path: string;
  readonly commonName: string;
  readonly validityMs: number;
}

/** A certificate for one server or client: `<path>.crt` and `<path>.key`. */
export interface LeafSpec {
  readonly kind: 'leaf';
  readonly name: LeafName;
  readonly path: string;
  readonly issuer: AuthorityName;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly usages: readonly CertificateUsage[];
  /** Lower case, sorted, unique. */
  readonly dnsNames: readonly string[];
  /** Canonical text (RFC 5952 for IPv6), sorted, unique. */
  readonly ipAddresses: readonly string[];
  readonly validityMs: number;
}

/** The keys that sign service-account tokens: `<path>.key` and `<path>.pub`, no certificate. */
export interface KeyPairSpec {
  readonly kind: 'keyPair';
  readonly name: 'sa';
  readonly path: string;
}

export type CertificateRequestSpec = AuthoritySpec | LeafSpec | KeyPairSpec;

/** What can be wrong with one entry of the PKI folder. */
export type PkiProblem =
  | 'missing'
  | 'unreadable'
  | 'keyMissing'
  | 'keyMismatch'
  | 'keyExposed'
  | 'expired'
  | 'expiresSoon'
  | 'notYetValid'
  | 'notAnAuthority'
  | 'wrongIssuer'
  | 'wrongSubject'
  | 'wrongNames'
  | 'wrongUsages';

/** The state of one entry of the PKI folder; `problems` is empty where it is as planned. */
export interface PkiFinding {
  readonly name: CertificateName;
  readonly kind: CertificateRequestSpec['kind'];
  /** The certificate's file, or the public key's. */
  readonly path: string;
  readonly problems: readonly PkiProblem[];
  /** The problems in words, with what was found and what was wanted; empty where there are none. */
  readonly message: string;
  /** ISO 8601; undefined where there is no readable certificate. */
  readonly notBefore: string | undefined;
  readonly expires: string | undefined;
}

/** A certificate with its private key, both PEM. The key is a secret. */
export interface Identity {
  readonly certPem: string;
  readonly keyPem: string;
}
