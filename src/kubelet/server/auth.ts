import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/logger.js';
import { requestAttributes } from './authorization-attributes.js';
import { createExpiringCache } from './expiring-cache.js';
import { HttpFault } from './http-fault.js';
import type { ServerAuth, ServerUser } from './server-types.js';

const tokenTtlMs = 2 * 60_000;
const allowTtlMs = 5 * 60_000;
const denyTtlMs = 30_000;
const maxEntries = 4096;

/** Lets a request pass, or throws an HttpFault 401, 403 or 500. */
export type Authorizer = (request: IncomingMessage, segments: readonly string[]) => Promise<void>;

/** Source: pkg/kubelet/server/auth.go and server.go InstallAuthFilter, v1.20. */
export function createAuthorizer(options: {
  readonly auth: ServerAuth;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
}): Authorizer {
  const { auth, clock, logger, nodeName } = options;
  const tokens = createExpiringCache<ServerUser | undefined>({ clock, maxEntries, ttlMs: () => tokenTtlMs });
  const decisions = createExpiringCache<boolean>({
    clock,
    maxEntries,
    ttlMs: (allowed) => (allowed ? allowTtlMs : denyTtlMs),
  });

  async function authenticate(request: IncomingMessage): Promise<ServerUser | undefined> {
    const certificate = certificateOf(request);
    const { clientCa, authenticateToken } = auth;
    if (clientCa !== undefined && certificate.user !== undefined) return certificate.user;
    const token = bearerToken(request.headers.authorization);
    if (token !== undefined && authenticateToken !== undefined) {
      const key = createHash('sha256').update(token).digest('base64');
      const user = await tokens.get(key, () => authenticateToken(token));
      return user === undefined ? undefined : authenticated(user);
    }
    // Credentials that don't prove anything don't make somebody anonymous.
    if (!auth.anonymous || token !== undefined || certificate.refused) return undefined;
    return { name: 'system:anonymous', groups: ['system:unauthenticated'] };
  }

  return async (request, segments) => {
    const user = await authenticate(request).catch((error: unknown) => {
      logger.warn('a request could not be authenticated', { err: messageOf(error) });
      return undefined;
    });
    if (user === undefined) throw new HttpFault(401, 'Unauthorized');
    const { authorize } = auth;
    if (authorize === 'AlwaysAllow') return;
    let facts = '';
    for (const attributes of requestAttributes(request.method ?? '', segments, nodeName)) {
      facts = `(user=${user.name}, verb=${attributes.verb}, resource=nodes, subresource=${attributes.subresource})`;
      try {
        const key = JSON.stringify([user, attributes]);
        if (await decisions.get(key, () => authorize(user, attributes))) return;
      } catch (error) {
        logger.warn('a request could not be authorized', { user: user.name, err: messageOf(error) });
        throw new HttpFault(500, `Authorization error ${facts}`);
      }
    }
    throw new HttpFault(403, `Forbidden ${facts}`);
  };
}

/** What the connection's certificate proves: common name and organizations. */
function certificateOf(request: IncomingMessage): { user?: ServerUser; refused: boolean } {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return { refused: false };
  const certificate = socket.getPeerCertificate();
  // An empty object, where there is none.
  const subject: { CN?: string | string[]; O?: string | string[] } | undefined = certificate?.subject;
  if (subject === undefined) return { refused: false };
  // `authorized`: signed by the client CA, not expired, meant for clients.
  const name = Array.isArray(subject.CN) ? subject.CN.at(-1) : subject.CN;
  if (!socket.authorized || name === undefined || name === '') return { refused: true };
  const groups = subject.O === undefined ? [] : [subject.O].flat();
  return { user: authenticated({ name, groups }), refused: false };
}

function bearerToken(header: string | undefined): string | undefined {
  const match = /^bearer +(\S+) *$/i.exec(header ?? '');
  return match?.[1];
}

function authenticated(user: ServerUser): ServerUser {
  const group = 'system:authenticated';
  return user.groups.includes(group) ? user : { ...user, groups: [...user.groups, group] };
}
