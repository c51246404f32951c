import { type Environment, environmentValue } from './environment.js';

/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY as Go programs read them: capitals before small letters; empty where unset. */
export function readProxySettings(env: Environment): {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
} {
  const either = (name: string) => environmentValue(env, name) ?? environmentValue(env, name.toLowerCase()) ?? '';
  return { httpProxy: either('HTTP_PROXY'), httpsProxy: either('HTTPS_PROXY'), noProxy: either('NO_PROXY') };
}
