import { type FSWatcher, watch as watchFolder } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../base/clock.js';
import { errnoOf, isHyperupError, messageOf } from '../../base/errors.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import type { V1Pod } from '../../kube/pod-objects.js';
import type { ReflectorChange } from '../../kube/reflector.js';
import { podFullName } from '../pod/pod-names.js';
import type { PodSource } from './api-pod-source.js';
import { readManifestFile, stampOf } from './read-manifest-file.js';
import { parseStaticPod } from './static-pod-manifest.js';

export interface FilePodSourceOptions {
  /** A folder of manifests, or one manifest; it need not be there. */
  readonly path: string;
  readonly nodeName: string;
  readonly clock: Clock;
  /** All static pods first, then one change after another; a changed manifest is another pod: deleted, then added. */
  readonly onPods: (change: ReflectorChange<V1Pod>) => void;
  /** `fileCheckFrequency`; default 20 s. Changes are seen at once where the file system tells of them. */
  readonly periodMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** Writers make several changes for one. */
const settleMs = 100;
/** So young a change could be followed by another one with the same time. */
const youngMs = 2000;

interface Known {
  readonly stamp: string;
  /** Undefined where the file was never good. */
  readonly pod: V1Pod | undefined;
  readonly fault: string;
}

/**
 * Static pods (v1.20 `kubelet/config/file.go`). Dotfiles and folders are passed over. A bad file is logged once and
 * leaves the others alone; where it was good before, its last good version goes on running until the file is removed.
 */
export function createFilePodSource(options: FilePodSourceOptions): PodSource {
  const { path, nodeName, clock, onPods, periodMs = 20_000, logger = silentLogger } = options;
  const controller = new AbortController();
  const { signal } = controller;
  let files = new Map<string, Known>();
  let reported: Map<string, V1Pod> | undefined;
  let doubles = new Set<string>();
  let watcher: { readonly handle: FSWatcher; readonly inode: string } | undefined;
  let dirty = false;
  let wake = () => {};
  let folderFault = '';
  let running: Promise<void> | undefined;
  let markSynced = () => {};
  const synced = new Promise<void>((resolve) => {
    markSynced = resolve;
  });

  function closeWatcher(): void {
    watcher?.handle.close();
    watcher = undefined;
  }

  /** Watches the folder that is there now; without one, the next scan tries again. */
  async function ensureWatcher(folder: string): Promise<void> {
    try {
      const { dev, ino } = await stat(folder);
      const inode = `${dev}:${ino}`;
      if (watcher?.inode === inode) return;
      closeWatcher();
      const handle = watchFolder(folder, { persistent: false }, (_event, name) => {
        if (name?.startsWith('.')) return;
        dirty = true;
        wake();
      });
      handle.on('error', closeWatcher);
      watcher = { handle, inode };
    } catch {
      closeWatcher();
    }
  }

  /** File names with the folder they are in; undefined where that can't be told now. */
  async function findFiles(): Promise<{ folder: string; names: readonly string[] } | undefined> {
    try {
      const isFolder = (await stat(path)).isDirectory();
      const folder = isFolder ? path : dirname(path);
      const names = isFolder
        ? (await readdir(path, { withFileTypes: true }))
            .filter((entry) => !entry.name.startsWith('.') && !entry.isDirectory())
            .map(({ name }) => name)
            .sort()
        : [basename(path)];
      folderFault = '';
      return { folder, names };
    } catch (error) {
      const gone = errnoOf(error) === 'ENOENT';
      if (messageOf(error) !== folderFault) {
        folderFault = messageOf(error);
        logger[gone ? 'info' : 'error']('Static pods can not be read', { path, err: folderFault });
      }
      return gone ? { folder: path, names: [] } : undefined;
    }
  }

  async function readPod(file: string, folder: string, before: Known | undefined): Promise<Known | undefined> {
    let stamp = '';
    try {
      const now = await stampOf(file);
      if (now === undefined) return undefined;
      const settled = clock.now() - now.changedAtMs > youngMs;
      if (settled && before?.stamp === now.stamp) return before;
      stamp = settled ? now.stamp : '';
      const pod = parseStaticPod(await readManifestFile(file, folder), file, nodeName, clock.now());
      if (before?.fault) logger.info('Static pod file is good again', { file });
      // The same pod keeps the time when it was first seen.
      const same = before?.pod && sameManifest(before.pod, pod);
      return { stamp, pod: same ? before.pod : pod, fault: '' };
    } catch (error) {
      if (isHyperupError(error, 'NotFound')) return undefined;
      const fault = messageOf(error);
      if (before?.fault !== fault) {
        logger.error('Static pod file is not used', {
          file,
          err: fault,
          lastGoodVersionRuns: before?.pod !== undefined,
        });
      }
      return { stamp, pod: before?.pod, fault };
    }
  }

  async function scan(): Promise<void> {
    const found = await findFiles();
    if (found === undefined) return;
    await ensureWatcher(found.folder);
    const next = new Map<string, Known>();
    for (const name of found.names) {
      const file = join(found.folder, name);
      const known = await readPod(file, found.folder, files.get(file));
      if (known) next.set(file, known);
    }
    for (const [file, { pod }] of files) {
      if (pod && !next.has(file)) logger.info('Static pod file is gone', { file });
    }
    files = next;
    if (!signal.aborted) report(choose(next));
  }

  /** By full name; of two files for one name the first wins. */
  function choose(all: ReadonlyMap<string, Known>): Map<string, V1Pod> {
    const chosen = new Map<string, V1Pod>();
    const uids = new Set<string | undefined>();
    const refused = new Set<string>();
    for (const [file, { pod }] of all) {
      if (pod === undefined) continue;
      const fullName = podFullName(pod);
      if (chosen.has(fullName) || uids.has(pod.metadata?.uid)) {
        refused.add(file);
        if (!doubles.has(file))
          logger.error('Static pod file is not used: another file has its pod', { file, pod: fullName });
        continue;
      }
      chosen.set(fullName, pod);
      uids.add(pod.metadata?.uid);
    }
    doubles = refused;
    return chosen;
  }

  function report(next: Map<string, V1Pod>): void {
    const before = reported;
    reported = next;
    if (before === undefined) {
      onPods({ type: 'replaced', objects: [...next.values()] });
      markSynced();
      return;
    }
    for (const [name, pod] of before) {
      if (next.get(name)?.metadata?.uid !== pod.metadata?.uid) onPods({ type: 'deleted', object: pod });
    }
    for (const [name, pod] of next) {
      const known = before.get(name);
      if (known === pod) continue;
      onPods({ type: known?.metadata?.uid === pod.metadata?.uid ? 'modified' : 'added', object: pod });
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      dirty = false;
      try {
        await scan();
      } catch (error) {
        logger.error('Static pods can not be read', { path, err: messageOf(error) });
      }
      if (!dirty && !signal.aborted) await pause(periodMs);
      if (dirty) await clock.sleep(settleMs, signal).catch(() => {});
    }
  }

  /** Until the time is over, a change is seen or the end. */
  async function pause(ms: number): Promise<void> {
    const woken = new AbortController();
    wake = () => woken.abort();
    signal.addEventListener('abort', wake);
    await clock.sleep(ms, woken.signal).catch(() => {});
    signal.removeEventListener('abort', wake);
    wake = () => {};
  }

  return {
    synced,
    start() {
      running ??= run();
    },
    async stop() {
      controller.abort();
      await running;
      closeWatcher();
    },
  };
}

function sameManifest(a: V1Pod, b: V1Pod): boolean {
  return a.metadata?.uid === b.metadata?.uid && withoutSeen(a) === withoutSeen(b);
}

function withoutSeen(pod: V1Pod): string {
  const annotations = { ...pod.metadata?.annotations, 'kubernetes.io/config.seen': '' };
  return JSON.stringify({ ...pod, metadata: { ...pod.metadata, annotations } });
}
