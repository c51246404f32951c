import { HttpFault } from '../http-fault.js';
import type { RequestContext, UpgradeOffer } from '../request-context.js';

const protocolHeader = 'x-stream-protocol-version';

/**
 * Settles on a stream protocol and answers 101. The client's first one that is supported wins. Throws an HttpFault 400
 * or 403 instead. Source: apimachinery's util/httpstream/{httpstream,spdy/upgrade}.go, v1.20.
 */
export function upgradeToSpdy(
  context: RequestContext,
  supported: readonly string[],
): UpgradeOffer & { readonly protocol: string } {
  const wanted = protocolsOf(context);
  if (wanted.length === 0) throw new HttpFault(400, 'unable to upgrade: X-Stream-Protocol-Version is required');
  const protocol = wanted.find((name) => supported.includes(name));
  if (protocol === undefined) {
    const lists = `client supports [${wanted.join(' ')}], server accepts [${supported.join(' ')}]`;
    throw new HttpFault(403, `unable to upgrade: unable to negotiate protocol: ${lists}`, {
      'X-Accepted-Stream-Protocol-Versions': supported.join(', '),
    });
  }
  const upgrade = context.request.headers.upgrade?.toLowerCase() ?? '';
  if (context.upgrade === undefined || !upgrade.includes('spdy/3.1')) {
    throw new HttpFault(400, 'unable to upgrade: missing upgrade headers in request');
  }
  const offer = context.upgrade();
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  offer.socket.write(`${[...lines, `X-Stream-Protocol-Version: ${protocol}`].join('\r\n')}\r\n\r\n`);
  return { ...offer, protocol };
}

/** Node joins repeated headers of that name with commas, as clients may themselves. */
function protocolsOf(context: RequestContext): readonly string[] {
  const header = context.request.headers[protocolHeader];
  return [header ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
