import { join } from 'node:path';
import * as z from 'zod';
import { HyperupError, messageOf } from '../base/errors.js';
import { readTextIfPresent } from '../base/files.js';
import type { RunCommand } from '../base/run-command.js';
import type { CredentialStore, Credentials } from './types.js';

export interface DockerCredentialsOptions {
  /** The folder of Docker's `config.json`: `$DOCKER_CONFIG`, else `~/.docker`. */
  readonly dir: string;
  /** Runs credential helpers. */
  readonly run: RunCommand;
}

const entry = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});
const helperName = z.string().regex(/^[A-Za-z0-9._-]+$/);
const config = z.object({
  auths: z.record(z.string(), entry).nullish(),
  credHelpers: z.record(z.string(), helperName).nullish(),
  credsStore: z.union([helperName, z.literal('')]).nullish(),
});
const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

type DockerConfig = z.infer<typeof config>;

/** What Docker Hub's credentials are kept under. */
const hubServer = 'https://index.docker.io/v1/';
const hubNames = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);
const helperLimitMs = 30_000;

/**
 * Credentials as `docker login` stores them: a host's helper, else the common one, else the file itself. The file is
 * read anew at each call. Rejects with `InvalidConfig` naming the file, the helper or the key, never a secret.
 * Source: docker/cli v20.10, `cli/config`; docker-credential-helpers, `client`.
 */
export function createDockerCredentials({ dir, run }: DockerCredentialsOptions): CredentialStore {
  const path = join(dir, 'config.json');
  return {
    async find(host) {
      const file = await readConfig(path);
      if (file === undefined) return undefined;
      const helper = lookUp(file.credHelpers ?? {}, host);
      const name = helper?.value ?? (file.credsStore || undefined);
      const fromHelper = name === undefined ? undefined : await askHelper(run, name, host, helper?.key, path);
      if (fromHelper !== undefined) return fromHelper;
      const kept = lookUp(file.auths ?? {}, host);
      return kept && fromEntry(kept.value, kept.key, path);
    },
  };
}

async function readConfig(path: string): Promise<DockerConfig | undefined> {
  let text: string | undefined;
  try {
    text = await readTextIfPresent(path);
  } catch (error) {
    throw invalid(path, messageOf(error).replace(/^read .*?: /, ''));
  }
  if (text === undefined || text.trim() === '') return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Its message would quote the file.
    throw invalid(path, 'it is not JSON');
  }
  const parsed = config.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(path, `${issue?.path.join('.') || 'the whole'} is malformed`);
}

/** The entry of a host; keys may be URLs with a path. */
function lookUp<T>(entries: Readonly<Record<string, T>>, host: string): { key: string; value: T } | undefined {
  const wanted = hubNames.has(host) ? hubNames : new Set([host]);
  const keys = Object.keys(entries);
  const exact = hubNames.has(host) ? hubServer : host;
  const key = keys.find((each) => each === exact) ?? keys.find((each) => wanted.has(hostOfKey(each)));
  const value = key === undefined ? undefined : entries[key];
  return key === undefined || value === undefined ? undefined : { key, value };
}

function hostOfKey(key: string): string {
  return key
    .replace(/^https?:\/\//i, '')
    .replace(/\/.*$/s, '')
    .toLowerCase();
}

function fromEntry(kept: z.infer<typeof entry>, key: string, path: string): Credentials | undefined {
  if (kept.identitytoken) return { kind: 'identityToken', token: kept.identitytoken };
  if (kept.auth) {
    const text = Buffer.from(kept.auth, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon <= 0 || !/^[A-Za-z0-9+/=_\s-]*$/.test(kept.auth)) {
      throw invalid(path, `auths["${key}"].auth is not the base64 form of USER:PASSWORD`);
    }
    return toCredentials(text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, ''));
  }
  if (kept.username) return toCredentials(kept.username, kept.password ?? '');
  return undefined;
}

async function askHelper(
  run: RunCommand,
  name: string,
  host: string,
  key: string | undefined,
  path: string,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  const server = key ?? (hubNames.has(host) ? hubServer : host);
  const fail = (reason: string) => invalid(path, `its credential helper ${program} failed for ${server}: ${reason}`);
  let result: Awaited<ReturnType<RunCommand>>;
  try {
    result = await run(program, ['get'], { stdin: server, timeoutMs: helperLimitMs });
  } catch (error) {
    throw fail(messageOf(error));
  }
  if (result.exitCode !== 0) {
    // Helpers say so on stdout, in words that the protocol fixes.
    const words = `${result.stdout}\n${result.stderr}`.trim();
    if (/credentials not found in native keychain|no credentials (?:server URL|for)/i.test(words)) return undefined;
    throw fail(`exit ${result.exitCode}: ${words.slice(0, 300)}`);
  }
  const parsed = helperAnswer.safeParse(parseJson(result.stdout));
  if (!parsed.success) throw fail('its answer is not JSON with Username and Secret');
  const { Username, Secret } = parsed.data;
  return Secret === '' ? undefined : toCredentials(Username, Secret);
}

/** `<token>` in place of a name marks an identity token. */
function toCredentials(username: string, password: string): Credentials {
  return username === '<token>' ? { kind: 'identityToken', token: password } : { kind: 'basic', username, password };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(path: string, reason: string): HyperupError {
  return new HyperupError('InvalidConfig', `read Docker's config file ${path}: ${reason}`, {
    hint: 'Mend the file, or log in again with docker login.',
    details: { path },
  });
}
