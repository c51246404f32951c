import type { HyperupError } from '../base/errors.js';
import type { Answer } from './exchange.js';
import { readBytes } from './read-document.js';
import { registryError } from './registry-error.js';
import { parseRetryAfter } from './retry.js';

const maxErrorBytes = 64 * 1024;

/** What is asked, for messages. */
export interface Asked {
  readonly host: string;
  /** `get manifest a/b:v1 from HOST`. */
  readonly action: string;
  readonly nowMs: number;
}

/** The error that an answer of an unwanted status stands for; reads its body, and never rejects. */
export async function answerFailure(answer: Answer, asked: Asked): Promise<HyperupError> {
  const bytes = await readBytes(answer.body, maxErrorBytes).catch(() => Buffer.alloc(0));
  const { status } = answer;
  const { host, action } = asked;
  const at = answer.url.host;
  const error = ownError(bytes);
  const words = error.message === undefined ? '' : ` (${error.message})`;
  const where = at === host || at === 'registry-1.docker.io' ? '' : ` at ${at}`;
  const told = `HTTP ${status}${where}${words}`;
  const facts = {
    host,
    status,
    said: error.code,
    retryAfterMs: parseRetryAfter(answer.headers.get('retry-after'), asked.nowMs),
  };
  if (status === 429) {
    return registryError('rateLimited', `${action}: too many requests: ${told}`, {
      ...facts,
      hint: 'Wait, log in with docker login, or use a mirror.',
    });
  }
  if (status === 511) return registryError('notRegistry', `${action}: the network wants a login: ${told}`, facts);
  if (isWebPage(answer, bytes) && (status < 400 || status === 407)) return webPageError(answer, bytes, asked);
  if (status === 401 || status === 403) {
    return registryError('login', `${action}: ${status === 401 ? 'a login is wanted' : 'not allowed'}: ${told}`, {
      ...facts,
      hint: `Log in with: docker login ${host}`,
    });
  }
  if (status === 404) return registryError('notFound', `${action}: not there: ${told}`, facts);
  return registryError('status', `${action}: ${told}`, facts);
}

/** A page for people came where a registry's answer was wanted. */
export function webPageError(answer: Answer, bytes: Buffer, asked: Pick<Asked, 'host' | 'action'>): HyperupError {
  const title = pageTitle(bytes);
  const page = title === undefined ? '' : ` titled "${title}"`;
  const where = answer.url.host === asked.host ? '' : ` at ${answer.url.host}`;
  return registryError(
    'notRegistry',
    `${asked.action}: answered with a web page${page}${where}, not a registry's answer (a login page of the network?)`,
    { host: asked.host, status: answer.status, hint: 'Open any page in a browser on this network, or use a mirror.' },
  );
}

/** True where the headers or the first bytes say HTML. */
export function isWebPage(answer: Pick<Answer, 'headers'>, bytes: Buffer): boolean {
  return (
    /text\/html/i.test(answer.headers.get('content-type') ?? '') ||
    /^\s*<(?:!doctype|html)/i.test(bytes.toString('utf8', 0, 200))
  );
}

/** What the page calls itself, on one line; undefined where it has no title. */
export function pageTitle(bytes: Buffer): string | undefined {
  const title = /<title[^>]*>([^<]{1,80})/i.exec(bytes.toString('utf8'))?.[1]?.replace(/\s+/g, ' ').trim();
  return title === '' ? undefined : title;
}

/** The registry's own words, on one line, and the error's code; from the spec's error body or a token server's. */
export function ownError(bytes: Buffer): { readonly code: string | undefined; readonly message: string | undefined } {
  const none = { code: undefined, message: undefined };
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null) return none;
    const first: unknown = 'errors' in parsed && Array.isArray(parsed.errors) ? parsed.errors[0] : parsed;
    if (typeof first !== 'object' || first === null) return none;
    const text = (...names: readonly string[]) =>
      names
        .map((name): unknown => Reflect.get(first, name))
        .find((value): value is string => typeof value === 'string' && value !== '')
        ?.replace(/\s+/g, ' ')
        .slice(0, 200);
    return { code: text('code', 'error'), message: text('message', 'details', 'error_description', 'code', 'error') };
  } catch {
    return none;
  }
}
