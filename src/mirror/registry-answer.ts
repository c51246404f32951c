import { type ProbeFailure, probeFailure } from './probe-failure.js';
import type { ImageReference } from '../registry/reference.js';
import type { RegistryAnswer } from './registry-fetch.js';

/** What is wrong with a registry that answered `/v2/` like this; undefined: nothing. */
export function notARegistry(answer: RegistryAnswer, host: string): ProbeFailure | undefined {
  if (answer.status === 200 || answer.status === 401) {
    return isWebPage(answer) ? webPage(answer, host) : undefined;
  }
  if (answer.status === 429 || answer.status >= 500) return serverFailure(answer, host);
  if (answer.status === 403) return probeFailure('login', `${host} refuses with HTTP 403${said(answer)}`, true);
  return probeFailure('notRegistry', `${host} has no registry API: HTTP ${answer.status} for /v2/`, true);
}

/** Why this answer is not the manifest that was asked for; undefined: it is. */
export function manifestFailure(answer: RegistryAnswer, reference: ImageReference): ProbeFailure | undefined {
  const host = reference.domain;
  const name = `${reference.path}:${reference.digest ?? reference.tag ?? 'latest'}`;
  if (answer.status === 200) return isWebPage(answer) ? webPage(answer, host) : undefined;
  if (answer.status === 404) return probeFailure('notFound', `${host} has no ${name}${said(answer)}`);
  if (answer.status === 401 || answer.status === 403) {
    return probeFailure('login', `${host} wants a login for ${name}: HTTP ${answer.status}${said(answer)}`);
  }
  if (answer.status === 429 || answer.status >= 500) return serverFailure(answer, host);
  return probeFailure('status', `${host} answered HTTP ${answer.status} for ${name}${said(answer)}`);
}

function serverFailure(answer: RegistryAnswer, host: string): ProbeFailure {
  const what = answer.status === 429 ? 'asks for fewer requests' : 'is not working';
  return probeFailure('status', `${host} ${what}: HTTP ${answer.status}${said(answer)}`, true);
}

function webPage(answer: RegistryAnswer, host: string): ProbeFailure {
  const title = /<title[^>]*>([^<]{1,80})/i.exec(answer.body.toString('utf8'))?.[1]?.trim();
  const where = answer.host === host ? '' : ` at ${answer.host}`;
  const page = title ? ` titled "${title}"` : '';
  return probeFailure(
    'notRegistry',
    `${host} answered with a web page${page}${where}, not a registry's JSON (a login page of the network?)`,
    true,
  );
}

function isWebPage(answer: RegistryAnswer): boolean {
  return (
    /text\/html/i.test(answer.headers.get('content-type') ?? '') ||
    /^\s*<(?:!doctype|html)/i.test(answer.body.toString('utf8', 0, 200))
  );
}

/** The registry's own words, as the spec's error body gives them. */
function said(answer: RegistryAnswer): string {
  try {
    const parsed: unknown = JSON.parse(answer.body.toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('errors' in parsed) || !Array.isArray(parsed.errors))
      return '';
    const first: unknown = parsed.errors[0];
    if (typeof first !== 'object' || first === null) return '';
    const text = 'message' in first ? first.message : 'code' in first ? first.code : undefined;
    return typeof text === 'string' && text !== '' ? ` (${text.slice(0, 200)})` : '';
  } catch {
    return '';
  }
}
