import { HyperupError } from '../base/errors.js';

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${component}(?:/${component})*$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const digestPattern = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Throws `InvalidConfig` where it isn't a repository's path: it becomes a part of URLs. */
export function checkPath(path: string): void {
  if (path.length > 255 || !pathPattern.test(path)) throw malformed('repository path', path);
}

/** Throws `InvalidConfig` where it is neither. */
export function checkTagOrDigest(text: string): void {
  if (!tagPattern.test(text) && !digestPattern.test(text)) throw malformed('tag or digest', text);
}

/** Throws `InvalidConfig` where it isn't a `sha256` or `sha512` digest. */
export function checkDigest(text: string): void {
  if (!digestPattern.test(text)) throw malformed('digest', text);
}

export function isDigest(text: string): boolean {
  return digestPattern.test(text);
}

function malformed(what: string, text: string): HyperupError {
  return new HyperupError('InvalidConfig', `read ${what} "${text.slice(0, 300)}": it is malformed`);
}
