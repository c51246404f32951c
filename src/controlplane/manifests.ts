import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import { HyperupError, messageOf } from '../base/errors.js';
import type { DnsServer } from '../config/types.js';
import { type StaticComponent, staticComponents } from './component-flags.js';
import type { StaticPod } from './static-pods.js';

/** An object to apply, as parsed. */
export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** The packaged `manifests/` folder, parsed. */
export interface Manifests {
  readonly staticPods: Readonly<Record<StaticComponent, StaticPod>>;
  /** Roles and bindings that every cluster gets, in order. */
  readonly rbac: readonly ManifestObject[];
  /** What each DNS server consists of, in order. */
  readonly dns: Readonly<Record<DnsServer, readonly ManifestObject[]>>;
}

/** Reads `manifests/`. Throws `Internal` naming the damaged file. */
export async function readManifests(folder: string): Promise<Manifests> {
  const entries = await Promise.all(
    staticComponents.map(async (component) => {
      const path = join(folder, 'static-pods', `${component}.yaml`);
      return [component, await parse(path, (text) => load(text) as StaticPod)] as const;
    }),
  );
  const rbacFolder = join(folder, 'rbac');
  const names = (await readdir(rbacFolder)).filter((name) => name.endsWith('.yaml')).sort();
  const parseAll = (path: string) => parse(path, (text) => loadAll(text) as ManifestObject[]);
  const rbac = await Promise.all(names.map((name) => parseAll(join(rbacFolder, name))));
  const [builtin, coredns] = await Promise.all([
    parseAll(join(folder, 'dns', 'builtin.yaml')),
    parseAll(join(folder, 'dns', 'coredns.yaml')),
  ]);
  return {
    staticPods: Object.fromEntries(entries) as Record<StaticComponent, StaticPod>,
    rbac: rbac.flat(),
    dns: { builtin, coredns },
  };
}

async function parse<T>(path: string, read: (text: string) => T): Promise<T> {
  try {
    return read(await readFile(path, 'utf8'));
  } catch (error) {
    throw new HyperupError('Internal', `read manifest ${path}: ${messageOf(error)}`, { cause: error });
  }
}
