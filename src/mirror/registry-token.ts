import type { Dispatcher } from 'undici';
import { registryGet } from './registry-fetch.js';

/** The parts of a `WWW-Authenticate: Bearer …` header; undefined for any other scheme. */
export function parseBearerChallenge(header: string): { realm: string; service: string | undefined } | undefined {
  if (!/^bearer\s/i.test(header.trim())) return undefined;
  const fields = new Map<string, string>();
  for (const [, key = '', quoted, bare] of header.matchAll(/([a-zA-Z_]+)=(?:"([^"]*)"|([^\s,"]+))/g)) {
    fields.set(key.toLowerCase(), quoted ?? bare ?? '');
  }
  const realm = fields.get('realm');
  return realm ? { realm, service: fields.get('service') } : undefined;
}

/**
 * A token to pull `path` without an account, as public registries demand; undefined where the challenge isn't one for
 * a token or none is given. Network errors throw.
 * Source: distribution docs, "Token Authentication Specification".
 */
export async function anonymousToken(
  dispatcher: Dispatcher,
  challenge: string,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const bearer = parseBearerChallenge(challenge);
  if (!bearer || !URL.canParse(bearer.realm)) return undefined;
  const url = new URL(bearer.realm);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  if (bearer.service !== undefined) url.searchParams.set('service', bearer.service);
  url.searchParams.set('scope', `repository:${path}:pull`);
  const answer = await registryGet(dispatcher, url, { accept: 'application/json' }, signal);
  if (answer.status !== 200) return undefined;
  try {
    const parsed: unknown = JSON.parse(answer.body.toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    if ('token' in parsed && typeof parsed.token === 'string') return parsed.token;
    if ('access_token' in parsed && typeof parsed.access_token === 'string') return parsed.access_token;
    return undefined;
  } catch {
    return undefined;
  }
}
