/** One way of authentication that a server offers. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** A challenge to get a token. */
export interface BearerChallenge {
  readonly realm: URL;
  readonly service: string | undefined;
  /** As the server wrote them, apart; empty where it didn't say. */
  readonly scopes: readonly string[];
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;

/**
 * The challenges of a `WWW-Authenticate` header, several headers joined by commas too; what is malformed ends the list.
 * Source: RFC 9110, 11.6.1 and 5.6.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const skip = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(header)?.[0] ?? '';
    at += found.length;
    return found;
  };
  const word = () => skip(token);
  for (;;) {
    skip(/[\s,]*/y);
    const name = word();
    if (name === '') return challenges;
    const before = at;
    skip(/\s*/y);
    if (header[at] === '=' && challenges.length > 0 && header[at + 1] !== '=') {
      at += 1;
      skip(/\s*/y);
      const value = header[at] === '"' ? unquoted(skip(/"(?:[^"\\]|\\.)*"?/y)) : skip(/[^\s,]*/y);
      challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
    } else {
      at = before;
      challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
      // The token68 form, as Negotiate has it.
      skip(/[ \t]+[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$))/y);
    }
  }
}

/** The first challenge that a token answers; undefined where there is none, or its realm isn't an HTTP URL. */
export function bearerChallenge(challenges: readonly Challenge[]): BearerChallenge | undefined {
  for (const { scheme, parameters } of challenges) {
    const realm = parameters.get('realm') ?? '';
    if (scheme !== 'bearer' || !URL.canParse(realm)) continue;
    const url = new URL(realm);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') continue;
    const scopes = (parameters.get('scope') ?? '').split(/\s+/).filter((scope) => scope !== '');
    return { realm: url, service: parameters.get('service'), scopes };
  }
  return undefined;
}

function unquoted(text: string): string {
  return text.replace(/^"|"$/g, '').replace(/\\(.)/g, '$1');
}
