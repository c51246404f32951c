import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a fake registry wants before it serves. */
export type FakeAuth =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | {
      readonly kind: 'bearer';
      /** Told as `expires_in`; undefined: not told. Tokens themselves live until `expireTokens`. */
      readonly lifeSeconds?: number | undefined;
      /** Undefined: anyone gets a token. */
      readonly login?: { readonly username: string; readonly password: string } | undefined;
      /** For the POST with a refresh token. */
      readonly refreshToken?: string | undefined;
      /** Another token server's URL. */
      readonly realm?: string | undefined;
    };

export interface FakeLogin {
  /** True where it has answered: a token, or that a login is wanted. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  given(): number;
  expire(): void;
}

export function makeFakeLogin(auth: FakeAuth, origin: string): FakeLogin {
  let given = 0;
  let expiredUpTo = 0;
  /** By token, the scopes that it allows. */
  const scopes = new Map<string, string>();

  const giveToken = (response: ServerResponse, scope: string) => {
    given += 1;
    const token = `token-${given}`;
    scopes.set(token, scope);
    const life = auth.kind === 'bearer' && auth.lifeSeconds !== undefined ? { expires_in: auth.lifeSeconds } : {};
    json(response, 200, { token, ...life });
  };

  const tokenRequest = (request: IncomingMessage, response: ServerResponse, url: URL) => {
    if (auth.kind !== 'bearer') return;
    if (request.method === 'POST') {
      let text = '';
      request.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      request.on('end', () => {
        const form = new URLSearchParams(text);
        if (form.get('grant_type') !== 'refresh_token' || form.get('refresh_token') !== auth.refreshToken) {
          json(response, 401, { errors: [{ code: 'UNAUTHORIZED', message: 'wrong refresh token' }] });
        } else giveToken(response, form.get('scope') ?? '');
      });
      return;
    }
    if (auth.login && request.headers.authorization !== basic(auth.login)) {
      json(response, 401, { errors: [{ code: 'UNAUTHORIZED', message: 'wrong user or password' }] });
    } else giveToken(response, url.searchParams.getAll('scope').join(' '));
  };

  const allowed = (request: IncomingMessage, needed: string | undefined): boolean => {
    const header = request.headers.authorization ?? '';
    if (auth.kind === 'basic') return header === basic(auth);
    const number = /^Bearer token-(\d+)$/.exec(header)?.[1];
    if (number === undefined || Number(number) <= expiredUpTo) return false;
    return needed === undefined || covers(scopes.get(`token-${number}`) ?? '', needed);
  };

  return {
    serve(request, response) {
      const url = new URL(request.url ?? '/', origin);
      if (url.pathname === '/token') {
        tokenRequest(request, response, url);
        return true;
      }
      const needed = neededScope(request.method ?? 'GET', url.pathname);
      if (allowed(request, needed)) return false;
      const realm = auth.kind === 'bearer' ? (auth.realm ?? `${origin}/token`) : '';
      const scope = needed === undefined ? '' : `,scope="${needed}"`;
      response.setHeader(
        'www-authenticate',
        auth.kind === 'basic' ? 'Basic realm="fake"' : `Bearer realm="${realm}",service="fake"${scope}`,
      );
      request.resume();
      json(response, 401, { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] });
      return true;
    },
    given: () => given,
    expire() {
      expiredUpTo = given;
    },
  };
}

function neededScope(method: string, path: string): string | undefined {
  const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
  if (repository === undefined) return undefined;
  const isUpload = path.includes('/blobs/uploads/') || method === 'PUT' || method === 'DELETE';
  return `repository:${repository}:${isUpload ? 'pull,push' : 'pull'}`;
}

function covers(granted: string, needed: string): boolean {
  const [, name = '', actions = ''] = /^(.*):([^:]*)$/.exec(needed) ?? [];
  return granted.split(' ').some((scope) => {
    const [, have, can = ''] = /^(.*):([^:]*)$/.exec(scope) ?? [];
    return have === name && actions.split(',').every((action) => can.split(',').includes(action));
  });
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function json(response: ServerResponse, status: number, value: unknown): void {
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length });
  response.end(bytes);
}
