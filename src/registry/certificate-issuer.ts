/**
 * Who signed the certificate that `host` (`HOST[:PORT]`) shows, in words for a message; undefined where it can't be
 * had in that time. Nothing is sent: it only looks, after a verification has failed, to name what sits in between.
 */
export function certificateIssuer(host: string, timeoutMs: number): Promise<string | undefined> {
  const url = new URL(`https://${host}/`);
  const servername = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = process.getBuiltinModule('node:tls').connect({
      host: servername,
      port: url.port === '' ? 443 : Number(url.port),
      rejectUnauthorized: false,
      ...(/^[\d.]+$|:/.test(servername) ? {} : { servername }),
      timeout: timeoutMs,
    });
    const end = (text: string | undefined) => {
      socket.destroy();
      resolve(text);
    };
    socket.once('secureConnect', () => {
      const { issuer, subject } = socket.getPeerCertificate();
      // An empty object stands for "no certificate" here, whatever its type says.
      const by = nameOf(issuer);
      const of = nameOf(subject);
      end(by === undefined ? undefined : `issued by "${by}"${of === undefined || of === by ? '' : ` to "${of}"`}`);
    });
    socket.once('timeout', () => end(undefined));
    socket.once('error', () => end(undefined));
  });
}

function nameOf(entity: { CN?: unknown; O?: unknown } | undefined): string | undefined {
  for (const value of [entity?.CN, entity?.O]) if (typeof value === 'string' && value !== '') return value;
  return undefined;
}
