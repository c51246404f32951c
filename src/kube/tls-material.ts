import { createSecureContext, type SecureContext } from 'node:tls';
import { HyperupError, messageOf } from '../base/errors.js';

/** Whom to trust and who we are, as PEM. */
export interface TlsMaterial {
  /** Without it nobody is trusted: public authorities have no say here. */
  readonly caPem?: string | undefined;
  readonly clientCertPem?: string | undefined;
  readonly clientKeyPem?: string | undefined;
  /** The name that the server's certificate must have, where it isn't the address's. */
  readonly serverName?: string | undefined;
}

/**
 * The connection options for it, PEM parsed once for all connections. Throws `InvalidConfig` where it can't be read or
 * the key is not the certificate's; the message never quotes it.
 */
export function tlsConnectOptions(material: TlsMaterial): { secureContext: SecureContext; servername?: string } {
  const { caPem, clientCertPem, clientKeyPem, serverName } = material;
  try {
    const secureContext = createSecureContext({
      ca: caPem ?? [],
      ...(clientCertPem === undefined ? {} : { cert: clientCertPem }),
      ...(clientKeyPem === undefined ? {} : { key: clientKeyPem }),
    });
    return { secureContext, ...(serverName === undefined ? {} : { servername: serverName }) };
  } catch (error) {
    throw new HyperupError('InvalidConfig', `read TLS certificates and key: ${messageOf(error)}`, { cause: error });
  }
}
