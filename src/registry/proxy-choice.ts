import { isIP } from 'node:net';
import { type Cidr, cidrContains, parseAddress, parseCidr } from '../base/cidr.js';
import { HyperupError } from '../base/errors.js';
import type { ProxySettings } from './types.js';

type NoProxyRule =
  | { readonly kind: 'all' }
  | { readonly kind: 'range'; readonly range: Cidr }
  | { readonly kind: 'address'; readonly address: string; readonly port: string }
  | { readonly kind: 'domain'; readonly suffix: string; readonly port: string; readonly itself: boolean };

/**
 * The proxy that a request for `target` goes through; undefined: none. Loopback hosts never have one. Throws
 * `InvalidConfig` where the proxy's address is malformed; its password stays out of the message.
 * Source: golang.org/x/net/http/httpproxy, `FromEnvironment` and `config.useProxy`.
 */
export function proxyFor(settings: ProxySettings, target: URL): URL | undefined {
  const text = (target.protocol === 'https:' ? settings.httpsProxy : settings.httpProxy).trim();
  if (text === '' || isLoopbackHost(target.hostname)) return undefined;
  const host = bareHost(target.hostname);
  const port = target.port === '' ? (target.protocol === 'https:' ? '443' : '80') : target.port;
  if (noProxyRules(settings.noProxy).some((rule) => matches(rule, host, port))) return undefined;
  return parseProxy(text);
}

/**
 * Proxies at a loopback address, as `HOST:PORT`: they serve this process, but nothing that runs in another network
 * namespace or on another machine, such as a container or a remote engine. A malformed one is left out.
 */
export function loopbackProxies(settings: ProxySettings): readonly string[] {
  const found = new Set<string>();
  for (const text of [settings.httpProxy, settings.httpsProxy]) {
    try {
      const proxy = text.trim() === '' ? undefined : parseProxy(text.trim());
      if (proxy && isLoopbackHost(proxy.hostname)) found.add(proxy.host);
    } catch {
      // Told where it is used.
    }
  }
  return [...found];
}

/** True for `localhost` and the loopback addresses; takes host names as URLs have them, with or without brackets. */
export function isLoopbackHost(hostname: string): boolean {
  const host = bareHost(hostname);
  if (host === 'localhost') return true;
  const family = isIP(host);
  if (family === 0) return false;
  return family === 4
    ? host.startsWith('127.')
    : cidrContains('::1/128', host) || cidrContains('::ffff:127.0.0.0/104', host);
}

function parseProxy(text: string): URL {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url === undefined || url.hostname === '') throw badProxy('it is not HOST:PORT or a URL', text);
  if (!/^(?:https?|socks5h?):$/.test(url.protocol))
    throw badProxy(`scheme "${url.protocol.slice(0, -1)}" is not one of http, https, socks5`, text);
  return url;
}

function badProxy(reason: string, text: string): HyperupError {
  const shown = text.replace(/^(.*?:\/\/)?.*@/, '$1…@');
  return new HyperupError('InvalidConfig', `read proxy "${shown}" (HTTP_PROXY, HTTPS_PROXY): ${reason}`, {
    hint: 'Write it as http://HOST:PORT.',
  });
}

function noProxyRules(text: string): readonly NoProxyRule[] {
  const rules: NoProxyRule[] = [];
  for (const part of text.split(',')) {
    const entry = part.trim().toLowerCase();
    if (entry === '') continue;
    if (entry === '*') return [{ kind: 'all' }];
    const range = asRange(entry);
    if (range) rules.push({ kind: 'range', range });
    else rules.push(...hostRule(entry));
  }
  return rules;
}

function asRange(entry: string): Cidr | undefined {
  if (!entry.includes('/')) return undefined;
  try {
    return parseCidr(entry);
  } catch {
    return undefined;
  }
}

function hostRule(entry: string): readonly NoProxyRule[] {
  const withPort = /^(\[[^\]]*\]|[^:]*):(\d*)$/.exec(entry);
  const name = bareHost(withPort?.[1] ?? entry);
  const port = withPort?.[2] ?? '';
  if (name === '') return [];
  if (isIP(name) !== 0) return [{ kind: 'address', address: name, port }];
  const suffix = name.startsWith('*.') ? name.slice(1) : name;
  if (suffix.startsWith('.')) return [{ kind: 'domain', suffix, port, itself: false }];
  return [{ kind: 'domain', suffix: `.${suffix}`, port, itself: true }];
}

function matches(rule: NoProxyRule, host: string, port: string): boolean {
  switch (rule.kind) {
    case 'all':
      return true;
    case 'range':
      return isIP(host) !== 0 && cidrContains(rule.range, host);
    case 'address':
      return sameAddress(rule.address, host) && (rule.port === '' || rule.port === port);
    case 'domain':
      return (
        (host.endsWith(rule.suffix) || (rule.itself && host === rule.suffix.slice(1))) &&
        (rule.port === '' || rule.port === port)
      );
  }
}

function sameAddress(a: string, b: string): boolean {
  const [left, right] = [parseAddress(a), parseAddress(b)];
  return left !== undefined && right !== undefined && left.family === right.family && left.value === right.value;
}

function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}
